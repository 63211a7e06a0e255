import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { withoutVariables } from '../platform/variables.ts';

/** A job that is told to stop gets this long to interrupt Spark before it is killed. */
const stopGraceMs = 20_000;

/** The process of a job: its stdin is its lifeline, its output is read line by line; `stop` tells it to stop. */
export type JobProcess = ReturnType<typeof startJobProcess>;

/** The environment of a job's process. */
export interface JobEnvironment {
  /** Added to this process's own. */
  readonly env: Readonly<Record<string, string>>;
  /** Variables of this process's own that are none of a job's business, by name. */
  readonly withoutEnv: RegExp;
}

/** Starts a job's process; it may tidy up when it is told to stop. */
export function startJobProcess(command: string, args: readonly string[], { env, withoutEnv }: JobEnvironment) {
  const stopping = new AbortController();
  const subprocess = execa(command, args, {
    env: { ...withoutVariables(process.env, withoutEnv), ...env },
    extendEnv: false,
    stdin: 'pipe',
    reject: false,
    buffer: false,
    cancelSignal: stopping.signal,
    forceKillAfterDelay: stopGraceMs,
  });
  return { subprocess, stop: (): void => stopping.abort() };
}

/**
 * A process that jobs are forked from (spark-submit/job_host.py), because reading Python and Spark's client in takes longer than
 * many a job works. It saves time and nothing else: a job that finds none reads them in itself.
 */
export interface JobHost {
  /** A job will come soon: the host is there for a minute from now, and from each job's end. */
  expect(): void;
  /** The arguments for Python by which this script runs, with its arguments, in a process of the host. */
  argsOf(script: readonly string[]): string[];
}

/** A host for jobs of a warm Spark server; ends with `stopping`, and its stdin with this process. */
export function createJobHost(
  { python, jobsDir, ...environment }: { readonly python: string; readonly jobsDir: string } & JobEnvironment,
  stopping: AbortSignal,
): JobHost {
  const room = join(jobsDir, '..');
  let host: { readonly socket: string; readonly process: JobProcess } | undefined;
  stopping.addEventListener('abort', () => host?.process.stop());
  const expect = (): void => {
    if (!stopping.aborted) host ??= start();
  };
  return {
    expect,
    argsOf(script) {
      expect();
      return host ? ['-I', '-S', join(room, 'start_job.py'), host.socket, ...script] : [...script];
    },
  };

  function start(): { readonly socket: string; readonly process: JobProcess } {
    const folder = mkdtempSync(join(tmpdir(), 'segue-jobs-'));
    const socket = join(folder, 'socket');
    const started = { socket, process: startJobProcess(python, [join(room, 'job_host.py'), socket], environment) };
    void forgetWhenEnded(started.process, folder);
    return started;
  }

  /** The host may have ended because it had no work. A job needs a new host then. */
  async function forgetWhenEnded(started: JobProcess, folder: string): Promise<void> {
    await started.subprocess;
    if (host?.process === started) host = undefined;
    rmSync(folder, { recursive: true, force: true });
  }
}
