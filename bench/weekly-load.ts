import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { taskQueue } from '../contracts/ids.ts';
import { lake } from '../contracts/lake.ts';
import type { WeeklyTrendsResult } from '../contracts/weekly.ts';
import { defaultSeedOptions } from '../generators/options.ts';
import { generateSeed } from '../generators/seed.ts';
import { generateWeekly } from '../generators/weekly.ts';
import { createWeeklyLedger } from '../platform/weekly-ledger.ts';
import { startStack, type RunningStack } from '../stack/stack.ts';
import { connectTo, type StackClients } from './lake-world.ts';
import { median, writeResult } from './results.ts';

const rounds = 5;
/** A JVM gets faster for some twenty loads; what counts is a server that has run for a day. */
const warmUpRounds = 10;
/** 90 days of 15,000 events; with 360 of 56,250 beside them 21.6 million. */
const small = { ...defaultSeedOptions, days: 90 };
const beside = { ...defaultSeedOptions, days: 360, eventsPerDay: 56_250, seed: 7 };
const baseline = fileURLToPath(new URL('./baselines/append_week.py', import.meta.url));
const sparkDefaults = fileURLToPath(new URL('../spark-submit/conf/spark-defaults.conf', import.meta.url));

interface World extends StackClients {
  readonly stack: RunningStack;
  readonly dataDir: string;
}

interface Ingested {
  /** From the trigger until the ledger says that bronze is reconciled. */
  readonly seconds: number;
  /** From the trigger until the caller has the run's result. */
  readonly toResultSeconds: number;
  readonly result: WeeklyTrendsResult;
}

/** What a table of one size costs. */
interface Measured {
  readonly tableRows: number;
  readonly segueSeconds: readonly number[];
  readonly segueToResultSeconds: readonly number[];
  readonly steps: readonly WeeklyTrendsResult['seconds'][];
  readonly warmClientSeconds: readonly number[];
}

/**
 * One weekly file of 140,000 rows from trigger to reconciled bronze, beside one client process of the same warm Spark that
 * appends it, on a table of 1.35 and one of 21.6 million rows; and the original's way, a cold spark-submit for the file.
 */
export async function benchWeeklyLoad(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'segue-bench-'));
  const world = await prepare(folder);
  try {
    const smallTable = await measure(world, 'small');
    await addRows(world, folder);
    const largeTable = await measure(world, 'large');
    await writeAndTell(smallTable, largeTable, await coldSubmit(world));
  } finally {
    await world.client.connection.close();
    await world.stack.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function prepare(folder: string): Promise<World> {
  const dataDir = join(folder, 'landing');
  await generateSeed(small, dataDir);
  const stack = await startStack({
    stateDir: join(folder, 'state'),
    dataDir,
    services: ['temporal', 'minio', 'kafka', 'spark', 'worker'],
  });
  const world = { stack, dataDir, ...(await connectTo(stack)) };
  await load(world, 'small');
  return world;
}

/** Twenty million more rows, as one more file of the initial load. */
async function addRows(world: World, folder: string): Promise<void> {
  const other = join(folder, 'more');
  await generateSeed(beside, other);
  const name = 'fact_listening_events_2024.csv';
  await rename(join(other, name), join(world.dataDir, 'fact_listening_events_more.csv'));
  await load(world, 'large');
}

async function load({ client }: World, name: string): Promise<void> {
  await client.workflow.execute('initialDataLoad', {
    taskQueue,
    workflowId: `bench/load-${name}`,
    args: [{ refresh: false }],
  });
}

async function measure(world: World, size: string): Promise<Measured> {
  for (let round = 1; round <= warmUpRounds; round++) {
    await ingestAndAppend(world, `${size}-warm-up-${round}`);
  }
  const all: Ingested[] = [];
  const warmClientSeconds: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const { ingested, clientSeconds } = await ingestAndAppend(world, `${size}-${round}`);
    all.push(ingested);
    warmClientSeconds.push(clientSeconds);
  }
  const tableRows = size === 'small' ? small.days * small.eventsPerDay : 21_600_000;
  return {
    tableRows,
    segueSeconds: all.map(({ seconds }) => seconds),
    segueToResultSeconds: all.map(({ toResultSeconds }) => toResultSeconds),
    steps: all.map(({ result }) => result.seconds),
    warmClientSeconds,
  };
}

/** One more week: by the pipeline, then the same file by the client. */
async function ingestAndAppend(world: World, name: string): Promise<{ ingested: Ingested; clientSeconds: number }> {
  const file = await nextWeek(world);
  return { ingested: await ingest(world, name), clientSeconds: await appendByWarmClient(world, file, name) };
}

async function nextWeek({ dataDir }: World): Promise<string> {
  const [path] = await generateWeekly({ count: 1, out: dataDir });
  return basename(path!);
}

/** Trigger to reconciled bronze; the generator's files are known to be whole, so that nothing waits for them to settle. */
async function ingest({ client, store }: World, name: string): Promise<Ingested> {
  const startedAt = Date.now();
  const result = (await client.workflow.execute('weeklyTrendsIngestion', {
    taskQueue,
    workflowId: `bench/week-${name}`,
    args: [{ refresh: false }],
  })) as WeeklyTrendsResult;
  const toResultSeconds = (Date.now() - startedAt) / 1000;
  const entry = await createWeeklyLedger(store).newest(result.weeks[0]?.weekEnd ?? '');
  const seconds = (Date.parse(entry?.recordedAt ?? '') - startedAt) / 1000;
  if (result.rows.bronze !== 140_000) throw new Error(`${name}: ${result.rows.bronze} rows in bronze`);
  console.log(`segue ${name}: ${seconds.toFixed(2)} s, ${toResultSeconds.toFixed(2)} s to the result`);
  return { seconds, toResultSeconds, result };
}

async function appendByWarmClient(world: World, file: string, name: string): Promise<number> {
  const startedAt = performance.now();
  await execa(world.stack.installed.python, [baseline, landingUri(file), `s3a://${lake.buckets.data}/bench-weeks`], {
    env: { ...world.env, SPARK_REMOTE: world.stack.env['SEGUE_SPARK_REMOTE']! },
  });
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(`a client of the warm Spark ${name}: ${seconds.toFixed(2)} s`);
  return seconds;
}

/** The original's way with one weekly file: a JVM of its own. */
async function coldSubmit(world: World): Promise<number> {
  const file = await nextWeek(world);
  const key = `${lake.prefixes.weekly}original/${file}`;
  const path = join(world.dataDir, lake.prefixes.weekly, file);
  const { sparkSubmit, sparkJarsDir, sparkHome, python } = world.stack.installed;
  const startedAt = performance.now();
  await world.store.uploadFile({ bucket: lake.buckets.landing, key, path, metadata: {} });
  await execa(
    sparkSubmit,
    [
      ...['--master', 'local[*]', '--driver-memory', '4g', '--properties-file', sparkDefaults],
      ...['--conf', `spark.hadoop.fs.s3a.endpoint=${world.env['AWS_ENDPOINT_URL']}`],
      ...['--conf', 'spark.hadoop.fs.s3a.endpoint.region=us-east-1'],
      ...['--conf', `spark.driver.extraClassPath=${sparkJarsDir}/*`],
      ...[baseline, `s3a://${lake.buckets.landing}/${key}`, `s3a://${lake.buckets.data}/bench-original`],
    ],
    { env: { ...world.env, SPARK_HOME: sparkHome, SPARK_LOCAL_IP: '127.0.0.1', PYSPARK_PYTHON: python } },
  );
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(`the original's way: ${seconds.toFixed(1)} s`);
  return seconds;
}

function landingUri(file: string): string {
  return `s3a://${lake.buckets.landing}/${lake.prefixes.weekly}${file}`;
}

async function writeAndTell(smallTable: Measured, largeTable: Measured, originalWaySeconds: number): Promise<void> {
  const [onSmall, onLarge] = [smallTable, largeTable].map(({ segueSeconds }) => median(segueSeconds)) as [
    number,
    number,
  ];
  const ratios = {
    toWarmClient: onSmall / median(smallTable.warmClientSeconds),
    toWarmClientOnLargeTable: onLarge / median(largeTable.warmClientSeconds),
    largeToSmallTable: onLarge / onSmall,
    originalWayToSegue: originalWaySeconds / onSmall,
  };
  const medianSeconds = { smallTable: onSmall, largeTable: onLarge };
  const path = await writeResult('weekly-load', { medianSeconds, ratios, smallTable, largeTable, originalWaySeconds });
  console.log(`median ${onSmall.toFixed(2)} s on 1.35 million rows, ${onLarge.toFixed(2)} s on 21.6 million`);
  console.log(`ratios ${JSON.stringify(ratios)}; written to ${path}`);
}
