import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sparkErrorLine, sparkProgressLine, type SparkJobError } from '../contracts/schemas/jobs.ts';
import type { SparkProgress } from '../contracts/progress.ts';
import { createJobHost, startJobProcess, type JobEnvironment, type JobHost } from './job-process.ts';

/**
 * How to run a job: against a warm Spark Connect server, by `spark-submit` on any master, or as a driver of its own that ends
 * with its caller: Python starts Spark's JVM as its child, which ends with it, on the same arguments that spark-submit takes.
 */
export type SparkTarget =
  | { readonly kind: 'connect'; readonly remote: string; readonly python: string }
  | { readonly kind: 'submit'; readonly command: string; readonly arguments: readonly string[] }
  | { readonly kind: 'driver'; readonly python: string; readonly arguments: readonly string[] };

/** A run of a job. */
export interface SparkRun {
  readonly job: string;
  readonly runKey: string;
  /**
   * The work that only a single job at a time may do. A job that still works under this identity, for example from
   * before a crash, is ended first.
   */
  readonly identity?: string;
  readonly params: unknown;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: SparkProgress) => void;
  /** Receives the remaining JSON lines that the job prints. */
  readonly onLine?: (line: unknown) => void;
}

/** The end of a job's process. `result` is the text of the result document, if the job wrote it. */
export interface SparkExit {
  readonly exitCode: number | undefined;
  readonly isCancelled: boolean;
  readonly result: string | undefined;
  /**
   * The job's error message, which may be followed by many lines of Spark's log. Undefined if the job was killed before
   * it printed the whole message. The exit code then gives the kind of failure.
   */
  readonly error: SparkJobError | undefined;
  readonly lastLines: readonly string[];
}

/**
 * The environment of every job's process: the jobs' folder, the store and its credentials. Credentials are never in
 * argv.
 */
export interface SparkProcessOptions extends JobEnvironment {
  readonly jobsDir: string;
  readonly target: SparkTarget;
  /** The host that forks the processes of jobs, if there is a warm Spark server. */
  readonly host?: JobHost;
}

const keptLines = 25;
const lifeline = '--lifeline';

/**
 * Runs a job to its end. The job's stdin is a lifeline: if this process dies, the job sees the end of stdin, interrupts
 * its work in Spark and exits. A cancellation sends SIGTERM, and the job reacts in the same way.
 */
export async function runSparkProcess(options: SparkProcessOptions, run: SparkRun): Promise<SparkExit> {
  const folder = await mkdtemp(join(tmpdir(), 'segue-job-'));
  try {
    return await runIn(folder, options, run);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runIn(folder: string, options: SparkProcessOptions, run: SparkRun): Promise<SparkExit> {
  const paramsPath = join(folder, 'params.json');
  const resultPath = join(folder, 'result.json');
  await writeFile(paramsPath, JSON.stringify(run.params), { mode: 0o600 });
  const script = [join(options.jobsDir, `${run.job}.py`), '--params', paramsPath, '--result', resultPath];
  if (run.identity !== undefined) script.push('--identity', run.identity);
  const { command, args, env } = commandLine(options, run, script, folder);
  const { subprocess, stop } = startJobProcess(command, args, { env, withoutEnv: options.withoutEnv });
  if (run.signal.aborted) stop();
  run.signal.addEventListener('abort', stop, { once: true });

  const said: Said = { lastLines: [], error: undefined };
  const reading = [
    readStdout(subprocess.iterable({ from: 'stdout' }), run, said),
    readStderr(subprocess.iterable({ from: 'stderr' }), said),
  ];
  const [ended] = await Promise.all([subprocess, ...reading]);
  run.signal.removeEventListener('abort', stop);
  const neverRan = ended.exitCode === undefined && !ended.isTerminated;
  return {
    exitCode: ended.exitCode,
    isCancelled: run.signal.aborted,
    result: await readIfThere(resultPath),
    error: said.error,
    lastLines: neverRan ? [...said.lastLines, ended.shortMessage ?? ''] : said.lastLines,
  };
}

/** The same, with a host of jobs' processes where jobs are clients of a warm Spark server; it ends with `stopping`. */
export function withJobHost(options: SparkProcessOptions, stopping: AbortSignal): SparkProcessOptions {
  const { target, jobsDir, env, withoutEnv } = options;
  if (target.kind !== 'connect') return options;
  const { python, remote } = target;
  const host = createJobHost({ python, jobsDir, env: connectEnv(env, remote), withoutEnv }, stopping);
  return { ...options, host };
}

function connectEnv(env: Readonly<Record<string, string>>, remote: string): Record<string, string> {
  return { ...env, SPARK_REMOTE: remote };
}

function commandLine(
  { target, env, host }: SparkProcessOptions,
  run: SparkRun,
  script: readonly string[],
  folder: string,
): { command: string; args: string[]; env: Record<string, string> } {
  if (target.kind === 'connect') {
    const connected = [...script, lifeline];
    return {
      command: target.python,
      args: host ? host.argsOf(connected) : connected,
      env: connectEnv(env, target.remote),
    };
  }
  if (target.kind === 'driver') {
    const scratch = ['spark.local.dir', 'spark.hadoop.fs.s3a.buffer.dir', 'spark.sql.warehouse.dir'];
    const confs = scratch.flatMap((name) => ['--conf', `${name}=${join(folder, name)}`]);
    const submitArgs = [...target.arguments, ...confs, '--name', run.runKey, 'pyspark-shell'];
    return {
      command: target.python,
      args: [...script, lifeline],
      env: { ...env, PYSPARK_SUBMIT_ARGS: submitArgs.map(quoted).join(' ') },
    };
  }
  const named = [...target.arguments, '--name', run.runKey];
  return { command: target.command, args: [...named, ...script], env: { ...env } };
}

/** Quotes an argument as for a shell: PySpark splits its arguments in that way. */
function quoted(argument: string): string {
  return `'${argument.replaceAll("'", `'\\''`)}'`;
}

/** Progress, and under spark-submit the job's stderr as well: it passes both on as its own stdout. */
async function readStdout(lines: AsyncIterable<string>, run: SparkRun, said: Said): Promise<void> {
  for await (const line of lines) {
    noteError(line, said);
    const value = parseJson(line);
    const parsed = sparkProgressLine.safeParse(value);
    if (!parsed.success) {
      if (value !== undefined) run.onLine?.(value);
      continue;
    }
    const { job, step, tasksDone, tasksTotal } = parsed.data;
    run.onProgress({ job, step, tasksDone, tasksTotal });
  }
}

/**
 * Undefined if the line is not JSON or is cut off: lines of a different kind from the job or from Spark are neither
 * progress nor a result.
 */
export function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

interface Said {
  readonly lastLines: string[];
  error: SparkJobError | undefined;
}

function noteError(line: string, said: Said): void {
  if (!line.startsWith('{"error"')) return;
  const parsed = sparkErrorLine.safeParse(parseJson(line));
  if (parsed.success) said.error = parsed.data.error;
}

async function readStderr(lines: AsyncIterable<string>, said: Said): Promise<void> {
  for await (const line of lines) {
    noteError(line, said);
    said.lastLines.push(line);
    if (said.lastLines.length > keptLines) said.lastLines.shift();
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
