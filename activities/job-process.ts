import { join } from 'node:path';
import { execa } from 'execa';
import { withoutVariables } from '../platform/variables.ts';

/** A job that is told to stop gets this long to interrupt Spark before it is killed. */
const stopGraceMs = 20_000;
/** Nobody asked for the spare process for so long: it ends, and frees its memory. */
const spareForMs = 60_000;

/** The process of a job: its stdin is its lifeline, its output is read line by line; `stop` tells it to stop. */
export type JobProcess = ReturnType<typeof startJobProcess>;

/** What a job's process sees of the environment. */
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
 * One process that is started before its job is known, because reading Python and Spark's client in takes half a second. It
 * saves time and nothing else: a job that finds none starts its own.
 */
export interface SpareProcess {
  /** A job will come soon: has a process ready for a minute from now. */
  expect(): void;
  /** The process, turned into the job of this script and arguments and now the caller's; undefined where there is none. */
  take(script: readonly string[]): JobProcess | undefined;
}

/** A spare process for jobs of a warm Spark server; ends with `stopping`, and its stdin with this process. */
export function createSpareProcess(
  { python, jobsDir, ...environment }: { readonly python: string; readonly jobsDir: string } & JobEnvironment,
  stopping: AbortSignal,
): SpareProcess {
  let spare: JobProcess | undefined;
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => {
    clearTimeout(timer);
    spare?.stop();
    spare = undefined;
  };
  stopping.addEventListener('abort', end);
  return {
    expect() {
      if (stopping.aborted) return;
      spare ??= start();
      clearTimeout(timer);
      timer = setTimeout(end, spareForMs);
    },
    take(script) {
      const taken = spare;
      spare = undefined;
      clearTimeout(timer);
      taken?.subprocess.stdin.write(`${JSON.stringify(script)}\n`);
      return taken;
    },
  };

  function start(): JobProcess {
    const started = startJobProcess(python, [join(jobsDir, '..', 'await_job.py')], environment);
    void forgetWhenEnded(started);
    return started;
  }

  /** One that ended by itself is of no use to a job. */
  async function forgetWhenEnded(started: JobProcess): Promise<void> {
    await started.subprocess;
    if (spare === started) spare = undefined;
  }
}
