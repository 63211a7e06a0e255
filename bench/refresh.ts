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
import { median, writeResult } from './results.ts';

/** How many times the events of the generated year the second lake holds. */
const growth = 4;

/** Rounds of a whole refresh and so many weeks after it: four weeks in all, of which one ends a block (blocks.py). */
const rounds = 2;
const weeksOfRound = 2;

/** One refresh: `fit` says whether its model was judged by the fit it found, or everything was learnt anew. */
interface Refresh {
  readonly seconds: number;
  readonly fit: 'kept' | 'new';
  /** Where the time went: its jobs, step by step. */
  readonly jobs: readonly JobSeconds[];
  readonly result: RefreshResult;
}

/**
 * One lake's refreshes, whole and after one more week: `young` are the first of their kind in a server's life, whose code the JVM
 * has yet to compile; all others are warm.
 */
interface Measured {
  readonly eventsPerDay: number;
  readonly young: { readonly wholeSeconds: number; readonly oneWeekSeconds: number };
  /** The median of the warm ones. */
  readonly wholeSeconds: number;
  /** The median of the warm weeks whose model was of the kept fit. */
  readonly oneWeekSeconds: number;
  /** The mean of all warm weeks, with the one that ends a block and makes the costly things anew. */
  readonly meanWeekSeconds: number;
  readonly wholes: readonly Refresh[];
  readonly weeks: readonly Refresh[];
  readonly peakMemoryMiB: Readonly<Record<string, number>>;
}

/**
 * Whole refreshes of the generated year, and refreshes after one more week, in turns; then the same over four times the
 * events. `SEGUE_BENCH_GROWTH=1` leaves the second lake out: it needs 2 GB of CSV and much time.
 */
export async function benchRefresh(): Promise<void> {
  const year = await measure(defaultSeedOptions.eventsPerDay);
  const grown =
    process.env['SEGUE_BENCH_GROWTH'] === '1' ? undefined : await measure(growth * defaultSeedOptions.eventsPerDay);
  const ratios = {
    oneWeekToWhole: year.oneWeekSeconds / year.wholeSeconds,
    meanWeekToWhole: year.meanWeekSeconds / year.wholeSeconds,
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
  const nextWeek = async (): Promise<Refresh> => {
    await generateWeekly({ count: 1, out: dataDir });
    await run(client, 'weeklyTrendsIngestion', { refresh: false });
    const next = await refresh(client, stateDir, {});
    if (next.result.silver?.mode !== 'weeks') throw new Error(`not by weeks: ${next.result.silver?.why}`);
    return next;
  };
  const youngWhole = await refresh(client, stateDir, {});
  const youngWeek = await nextWeek();
  const wholes: Refresh[] = [];
  const weeks: Refresh[] = [];
  for (let round = 0; round < rounds; round += 1) {
    wholes.push(await refresh(client, stateDir, { force: true }));
    for (let week = 0; week < weeksOfRound; week += 1) weeks.push(await nextWeek());
  }
  return {
    young: { wholeSeconds: youngWhole.seconds, oneWeekSeconds: youngWeek.seconds },
    wholeSeconds: median(secondsOf(wholes)),
    oneWeekSeconds: median(secondsOf(weeks.filter(({ fit }) => fit === 'kept'))),
    meanWeekSeconds: secondsOf(weeks).reduce((sum, seconds) => sum + seconds) / weeks.length,
    wholes,
    weeks,
    peakMemoryMiB: await peakMemory(stack),
  };
}

const secondsOf = (measured: readonly Refresh[]): readonly number[] => measured.map(({ seconds }) => seconds);

async function refresh(client: Client, stateDir: string, input: object): Promise<Refresh> {
  const before = await jobsDone(stateDir);
  const { result, seconds } = await run(client, 'refreshRecommendations', input);
  const jobs = (await jobsDone(stateDir)).slice(before.length);
  const isTuned = jobs.some((job) => job.job === 'evaluate_model' && 'tune' in job.seconds);
  return { seconds, fit: isTuned ? 'new' : 'kept', jobs, result: result as RefreshResult };
}

async function run(client: Client, type: string, input: object): Promise<{ result: unknown; seconds: number }> {
  const startedAt = performance.now();
  const workflowId = `bench/${type}/${startedAt}`;
  const result = await client.workflow.execute(type, { taskQueue, workflowId, args: [input] });
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(`${type} ${JSON.stringify(input)}: ${seconds.toFixed(1)} s`);
  return { result, seconds };
}
