import assert from 'node:assert/strict';
import { basename } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import type { RunProgress } from '../../contracts/progress.ts';
import type { WeeklyTrendsResult } from '../../contracts/weekly.ts';
import { generateWeekly } from '../../generators/weekly.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { createObjectStore } from '../../platform/object-store.ts';
import { createWeeklyLedger } from '../../platform/weekly-ledger.ts';
import type { ServiceName } from '../../stack/services/service.ts';
import { reconcileLake } from './lake.ts';
import type { PipelineWorld } from './pipeline-world.ts';
import { until } from './wait.ts';

/** Where in a run the fault strikes. */
export const moments = [
  'before the upload',
  'in the upload',
  'before the commit',
  'before the ledger',
  'in the refresh',
] as const;
export type Moment = (typeof moments)[number];

const events = 'bronze/fact_listening_events';
const patience = { timeoutMs: 240_000, everyMs: 20 };

/** The store itself, past the proxy that stands between it and the product. */
export function directStore(world: PipelineWorld): ObjectStore {
  const { AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = world.lake.env;
  return createObjectStore({
    endpoint: AWS_ENDPOINT_URL!,
    region: 'us-east-1',
    accessKey: AWS_ACCESS_KEY_ID!,
    secretKey: AWS_SECRET_ACCESS_KEY!,
  });
}

/** What goes wrong and, where it does not pass by itself, what ends it; a run is never helped in any other way. */
export interface Fault {
  readonly strike: () => void | Promise<void>;
  readonly end?: (handle: WorkflowHandle) => Promise<void>;
}

/**
 * Ingests one new generated week, has the fault strike at a moment of it, waits for the run to end by itself, and asserts that
 * every row of every file is in the lake once and that the ledger agrees.
 */
export async function ingestUnderFault(world: PipelineWorld, moment: Moment, fault: Fault): Promise<void> {
  const store = directStore(world);
  const [path] = await generateWeekly({ count: 1, out: world.dataDir });
  const file = basename(path!);
  const versionBefore = await newestVersion(store);
  if (moment === 'in the upload') world.proxy.holdAfter(600_000);
  const handle = await world.start('weeklyTrendsIngestion', `fault-${file}-${moment}`, {
    refresh: moment === 'in the refresh',
  });
  await reach(world, store, handle, moment, versionBefore);
  await fault.strike();
  world.proxy.release();
  await fault.end?.(handle);

  const result = await resultOf(handle);
  assert.deepEqual(
    result.weeks.map((week) => [week.file, week.quarantined]),
    [[file, 0]],
  );
  const entry = (await createWeeklyLedger(store).list()).find((each) => each.file === file);
  assert.deepEqual(
    [entry?.outcome, entry?.rows, entry?.bronze],
    ['ingested', result.rows.inFiles, result.rows.inFiles],
  );
  assert.match(await reconcileLake(world.lake, world.dataDir), /rows agree/);
}

async function reach(
  world: PipelineWorld,
  store: ObjectStore,
  handle: WorkflowHandle,
  moment: Moment,
  versionBefore: number,
): Promise<void> {
  switch (moment) {
    case 'before the upload':
      return;
    case 'in the upload':
      await until('the upload hangs half way', () => world.proxy.held(), patience);
      return;
    case 'before the commit':
      await untilStage(handle, (stage) => stage === 'loading bronze');
      return;
    case 'before the ledger':
      await until('Spark has committed', async () => (await newestVersion(store)) > versionBefore, patience);
      // From here on nothing reaches the store: neither Spark's read back nor the ledger.
      world.proxy.holdAfter(0);
      await until('the next step hangs', () => world.proxy.held(), patience);
      return;
    case 'in the refresh':
      await untilStage(handle, (stage) => /silver|gold|training|candidate/.test(stage));
      return;
    default:
      moment satisfies never;
  }
}

async function untilStage(handle: WorkflowHandle, isReached: (stage: string) => boolean): Promise<void> {
  await until(
    'the run is there',
    async () => {
      const progress = await handle.query<RunProgress>('progress').catch(() => undefined);
      return progress !== undefined && isReached(progress.stage);
    },
    { ...patience, everyMs: 50 },
  );
}

/** What an activity of the run failed with last, once one has failed. */
export function lastFailure(handle: WorkflowHandle): Promise<string> {
  return until(
    'an activity has failed',
    async () => {
      const { raw } = await handle.describe();
      const messages = raw.pendingActivities?.flatMap(({ lastFailure: failure }) => messagesOf(failure)) ?? [];
      return messages.length > 0 && messages.join(': ');
    },
    patience,
  );
}

type RawFailure = { readonly message?: string | null; readonly cause?: RawFailure | null };

function messagesOf(failure: RawFailure | null | undefined): string[] {
  return failure ? [failure.message ?? '', ...messagesOf(failure.cause)] : [];
}

async function newestVersion(store: ObjectStore): Promise<number> {
  const keys = await store.list('data', `${events}/_delta_log/`);
  return keys.filter((key) => key.endsWith('.json')).length;
}

/** The result, also when the Temporal server goes away while it is waited for. */
function resultOf(handle: WorkflowHandle): Promise<WeeklyTrendsResult> {
  return until(
    'the run has ended well',
    async () => {
      const described = await handle.describe().catch(() => undefined);
      if (described === undefined || described.status.name === 'RUNNING') return undefined;
      return (await handle.result()) as WeeklyTrendsResult;
    },
    { timeoutMs: 600_000, everyMs: 500 },
  );
}

/** The services of the matrix. */
export const killable: readonly ServiceName[] = ['worker', 'spark', 'minio', 'temporal'];
