import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure, Connection, WorkflowClient, type WorkflowHandle } from '@temporalio/client';
import { initialLoadId, refreshId, weeklyTrendsId, workflowTypes } from '../contracts/ids.ts';
import { progressQueryName, type RunProgress } from '../contracts/progress.ts';
import type { InitialDataLoadResult, RefreshResult } from '../contracts/runs.ts';
import type { WeeklyTrendsResult } from '../contracts/weekly.ts';
import { temporalOf } from './environment.ts';
import { Interrupted, StackError } from './errors.ts';

const pollMs = 500;

/** A run: its type, its id, its summary for the Web UI, and its input. */
interface RunToFollow {
  readonly type: string;
  readonly workflowId: string;
  readonly summary: string;
  readonly input?: object;
}

/**
 * Runs the initial load without a refresh, or attaches to the open run. Files that are loaded already stay unchanged.
 */
export function runInitialLoad(...following: Following): Promise<InitialDataLoadResult> {
  const { initialDataLoad: type } = workflowTypes;
  const summary = 'npm start: every landing file into bronze';
  return runAndFollow<InitialDataLoadResult>(
    { type, workflowId: initialLoadId, summary, input: { refresh: false } },
    ...following,
  );
}

/** Runs the weekly ingestion without a refresh, or attaches to the open run. */
export function runWeeklyTrends(...following: Following): Promise<WeeklyTrendsResult> {
  const { weeklyTrendsIngestion: type } = workflowTypes;
  const summary = 'npm start: every weekly file that is not in the ledger';
  return runAndFollow<WeeklyTrendsResult>(
    { type, workflowId: weeklyTrendsId, summary, input: { refresh: false } },
    ...following,
  );
}

/** Runs the refresh, or attaches to the open run. */
export function runRefresh(...following: Following): Promise<RefreshResult> {
  const { refreshRecommendations: type } = workflowTypes;
  const summary = 'npm start: recommendations from what is new';
  return runAndFollow<RefreshResult>({ type, workflowId: refreshId, summary }, ...following);
}

/** A run that ended badly: the message has the failure's type and words. */
export class RunFailed extends StackError {
  readonly run: Pick<RunToFollow, 'type' | 'workflowId'>;

  constructor({ type, workflowId }: RunToFollow, cause: unknown) {
    super(describeFailure(cause), { cause });
    this.run = { type, workflowId };
  }
}

type Following = [env: Readonly<Record<string, string>>, report: (detail: string) => void, signal: AbortSignal];

/**
 * Runs a workflow, or attaches to the run that is open under its id, and reports how far it is. Throws RunFailed; Interrupted
 * leaves the run going on.
 */
async function runAndFollow<Result>(run: RunToFollow, ...[env, report, signal]: Following): Promise<Result> {
  const { access, namespace, taskQueue } = temporalOf(env);
  const connection = await Connection.connect(access);
  let end: Promise<End<Result>> | undefined;
  try {
    const client = new WorkflowClient({ connection, namespace });
    const handle = await client.start(run.type, {
      workflowId: run.workflowId,
      taskQueue,
      staticSummary: run.summary,
      workflowIdConflictPolicy: 'USE_EXISTING',
      args: run.input ? [run.input] : [],
    });
    end = endOf<Result>(handle);
    return await follow(run, handle, end, { report, signal });
  } finally {
    // A pending wait for the end of an abandoned run must not meet a closed connection when Temporal stops: the client
    // would retry from a timer, and no code could catch its error.
    void Promise.resolve(end).then(() => connection.close());
  }
}

type End<Result> = { readonly value: Result } | { readonly error: unknown };

/** How a run ends; never rejects. */
function endOf<Result>(handle: WorkflowHandle): Promise<End<Result>> {
  // Type by contract: the workflow's own return type is not seen from here.
  return (handle.result() as Promise<Result>).then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}

async function follow<Result>(
  run: RunToFollow,
  handle: WorkflowHandle,
  end: Promise<End<Result>>,
  { report, signal }: { readonly report: (detail: string) => void; readonly signal: AbortSignal },
): Promise<Result> {
  for (;;) {
    if (signal.aborted) throw new Interrupted();
    const ended = await Promise.race([end, sleep(pollMs, undefined)]);
    if (ended && 'error' in ended) throw new RunFailed(run, ended.error);
    if (ended) return ended.value;
    const progress = await queryProgress(handle);
    if (progress) report(describeProgress(progress));
  }
}

/** Undefined while no worker answers: it may just be starting again. */
async function queryProgress(handle: WorkflowHandle): Promise<RunProgress | undefined> {
  try {
    return await handle.query<RunProgress>(progressQueryName);
  } catch {
    return undefined;
  }
}

/** The progress of a run as a line of text. */
export function describeProgress({ stage, files, uploadBytes, rows, spark, waitingFor }: RunProgress): string {
  const parts = [stage];
  if (files.total > 0) parts.push(`files ${files.done}/${files.total}`);
  if (uploadBytes.total > 0)
    parts.push(`uploaded ${megabytes(uploadBytes.done)} of ${megabytes(uploadBytes.total)} MB`);
  if (rows.inFiles > 0) parts.push(`rows ${rows.loaded.toLocaleString('en')} of ${rows.inFiles.toLocaleString('en')}`);
  if (spark) parts.push(`Spark ${spark.job}: ${spark.step} ${spark.tasksDone}/${spark.tasksTotal} tasks`);
  if (waitingFor) parts.push(`waits for ${waitingFor.heldBy} to finish writing ${waitingFor.lock}`);
  return parts.join(', ');
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

/**
 * The first failure that an activity or workflow threw has the reason. Temporal's wrappers only say where it happened.
 */
function describeFailure(error: unknown): string {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ApplicationFailure) return `${cause.type ?? 'ApplicationFailure'}: ${cause.message}`;
  }
  const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return reason instanceof Error ? reason.message : String(reason);
}
