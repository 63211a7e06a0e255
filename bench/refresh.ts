import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { taskQueue } from '../contracts/ids.ts';
import type { RefreshResult } from '../contracts/runs.ts';
import { defaultSeedOptions } from '../generators/options.ts';
import { generateSeed } from '../generators/seed.ts';
import { generateWeekly } from '../generators/weekly.ts';
import { startStack, type RunningStack } from '../stack/stack.ts';
import { jobsDone, type JobSeconds } from './job-seconds.ts';
import { peakMemory } from './peak-memory.ts';
import { writeResult } from './results.ts';

/** How many times the events of the generated year the second lake holds. */
const growth = 4;

/**
 * One lake's refreshes, whole and after one more week, each twice: `young` is the first of its kind in a server's life, whose
 * code the JVM has yet to compile; the second is warm.
 */
interface Measured {
  readonly eventsPerDay: number;
  readonly young: { readonly wholeSeconds: number; readonly oneWeekSeconds: number };
  readonly wholeSeconds: number;
  readonly oneWeekSeconds: number;
  readonly whole: RefreshResult;
  readonly oneWeek: RefreshResult;
  /** Where the time went: each refresh's jobs, step by step. */
  readonly wholeJobs: readonly JobSeconds[];
  readonly oneWeekJobs: readonly JobSeconds[];
  readonly peakMemoryMiB: Readonly<Record<string, number>>;
}

/**
 * A whole refresh of the generated year, warm, and the refresh after one more week, warm, too; then the same over four times
 * the events. `SEGUE_BENCH_GROWTH=1` leaves the second lake out: it needs 2 GB of CSV and much time.
 */
export async function benchRefresh(): Promise<void> {
  const year = await measure(defaultSeedOptions.eventsPerDay);
  const grown =
    process.env['SEGUE_BENCH_GROWTH'] === '1' ? undefined : await measure(growth * defaultSeedOptions.eventsPerDay);
  const ratios = {
    oneWeekToWhole: year.oneWeekSeconds / year.wholeSeconds,
    oneWeekToWholeYoung: year.young.oneWeekSeconds / year.young.wholeSeconds,
    ...(grown && { wholeByGrowth: grown.wholeSeconds / year.wholeSeconds, growth }),
  };
  const path = await writeResult('refresh', { year, ...(grown && { grown }), ratios });
  console.log(`one more week takes ${ratios.oneWeekToWhole.toFixed(2)} of a whole refresh; written to ${path}`);
}

async function measure(eventsPerDay: number): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'segue-bench-'));
  const dataDir = join(folder, 'landing');
  await generateSeed({ ...defaultSeedOptions, eventsPerDay }, dataDir);
  const stateDir = join(folder, 'state');
  const stack = await startStack({
    stateDir,
    dataDir,
    services: ['temporal', 'minio', 'kafka', 'spark', 'worker'],
  });
  const connection = await Connection.connect({ address: stack.env['SEGUE_TEMPORAL_ADDRESS']! });
  try {
    return { eventsPerDay, ...(await refreshes(new Client({ connection }), stack, { stateDir, dataDir })) };
  } finally {
    await connection.close();
    await stack.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function refreshes(
  client: Client,
  stack: RunningStack,
  { stateDir, dataDir }: { readonly stateDir: string; readonly dataDir: string },
): Promise<Omit<Measured, 'eventsPerDay'>> {
  await run(client, 'initialDataLoad', { refresh: false });
  const youngWhole = await refresh(client, stateDir, {});
  const whole = await refresh(client, stateDir, { force: true });
  const nextWeek = async (): ReturnType<typeof refresh> => {
    await generateWeekly({ count: 1, out: dataDir });
    await run(client, 'weeklyTrendsIngestion', { refresh: false });
    const next = await refresh(client, stateDir, {});
    if (next.result.silver?.mode !== 'weeks') throw new Error(`not by weeks: ${next.result.silver?.why}`);
    return next;
  };
  const youngWeek = await nextWeek();
  const oneWeek = await nextWeek();
  return {
    young: { wholeSeconds: youngWhole.seconds, oneWeekSeconds: youngWeek.seconds },
    wholeSeconds: whole.seconds,
    oneWeekSeconds: oneWeek.seconds,
    whole: whole.result,
    oneWeek: oneWeek.result,
    wholeJobs: whole.jobs,
    oneWeekJobs: oneWeek.jobs,
    peakMemoryMiB: await peakMemory(stack),
  };
}

async function refresh(
  client: Client,
  stateDir: string,
  input: object,
): Promise<{ result: RefreshResult; seconds: number; jobs: readonly JobSeconds[] }> {
  const before = await jobsDone(stateDir);
  const { result, seconds } = await run(client, 'refreshRecommendations', input);
  const jobs = (await jobsDone(stateDir)).slice(before.length);
  return { result: result as RefreshResult, seconds, jobs };
}

async function run(client: Client, type: string, input: object): Promise<{ result: unknown; seconds: number }> {
  const startedAt = performance.now();
  const workflowId = `bench/${type}/${startedAt}`;
  const result = await client.workflow.execute(type, { taskQueue, workflowId, args: [input] });
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(`${type} ${JSON.stringify(input)}: ${seconds.toFixed(1)} s`);
  return { result, seconds };
}
