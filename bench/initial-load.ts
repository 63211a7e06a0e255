import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { execa } from 'execa';
import { taskQueue } from '../contracts/ids.ts';
import { lake } from '../contracts/lake.ts';
import type { InitialDataLoadResult } from '../contracts/runs.ts';
import { defaultSeedOptions } from '../generators/options.ts';
import { generateSeed } from '../generators/seed.ts';
import { createObjectStore, type ObjectStore } from '../platform/object-store.ts';
import { startStack, type RunningStack } from '../stack/stack.ts';
import { peakMemory } from './peak-memory.ts';
import { median, writeResult } from './results.ts';

const rounds = 3;
const baselines = fileURLToPath(new URL('./baselines/', import.meta.url));

/** Everything one round needs. */
interface World {
  readonly stack: RunningStack;
  readonly client: Client;
  readonly store: ObjectStore;
  readonly dataDir: string;
  readonly files: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly polars: string;
}

/**
 * The full year from trigger to reconciled bronze, beside what one warm Spark session needs for the same reads and writes,
 * the original's way, and Polars with delta-rs; all in one run, interleaved, so that the ratios mean something.
 */
export async function benchInitialLoad(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'segue-bench-'));
  const world = await prepare(folder);
  try {
    await writeAndTell(await measure(world));
  } finally {
    await world.client.connection.close();
    await world.stack.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function prepare(folder: string): Promise<World> {
  const dataDir = join(folder, 'landing');
  await generateSeed(defaultSeedOptions, dataDir);
  const stack = await startStack({
    stateDir: join(folder, 'state'),
    dataDir,
    services: ['temporal', 'minio', 'kafka', 'spark', 'worker'],
  });
  const connection = await Connection.connect({ address: stack.env['SEGUE_TEMPORAL_ADDRESS']! });
  const secret = (variable: string): Promise<string> =>
    readFile(stack.env[variable]!, 'utf8').then((text) => text.trim());
  const endpoint = stack.env['SEGUE_S3_ENDPOINT']!;
  const accessKey = await secret('SEGUE_S3_ACCESS_KEY_FILE');
  const secretKey = await secret('SEGUE_S3_SECRET_KEY_FILE');
  return {
    stack,
    client: new Client({ connection }),
    store: createObjectStore({ endpoint, region: 'us-east-1', accessKey, secretKey }),
    dataDir,
    files: (await readdir(dataDir)).filter((name) => name.endsWith('.csv')).toSorted(),
    env: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: accessKey,
      AWS_SECRET_ACCESS_KEY: secretKey,
    },
    polars: await preparePolars(stack.installed.python, folder),
  };
}

async function preparePolars(python: string, folder: string): Promise<string> {
  const venv = join(folder, 'polars');
  await execa(python, ['-m', 'venv', venv]);
  await execa(join(venv, 'bin', 'pip'), [
    'install',
    '--quiet',
    '--require-hashes',
    '-r',
    join(baselines, 'requirements.txt'),
  ]);
  return join(venv, 'bin', 'python');
}

interface Measured {
  readonly rows: number;
  readonly segue: readonly InitialDataLoadResult['seconds'][];
  readonly segueSeconds: readonly number[];
  readonly warmSparkSeconds: readonly number[];
  readonly polarsSeconds: readonly number[];
  readonly originalWaySeconds: number;
  readonly peakMemoryMiB: Readonly<Record<string, number>>;
}

async function measure(world: World): Promise<Measured> {
  // One of each, not counted: a young JVM would make whoever comes first look slow.
  await loadBySegue(world, 'warm-up');
  await loadByWarmSpark(world, 'warm-up');
  const segue: InitialDataLoadResult[] = [];
  const segueSeconds: number[] = [];
  const warmSparkSeconds: number[] = [];
  const polarsSeconds: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const loaded = await loadBySegue(world, `round-${round}`);
    segue.push(loaded.result);
    segueSeconds.push(loaded.seconds);
    warmSparkSeconds.push(await loadByWarmSpark(world, `round-${round}`));
    polarsSeconds.push(await loadByPolars(world, `round-${round}`));
  }
  const peakMemoryMiB = await peakMemory(world.stack);
  const originalWaySeconds = await loadTheOriginalWay(world);
  return {
    rows: segue[0]!.rows.bronze,
    segue: segue.map((result) => result.seconds),
    segueSeconds,
    warmSparkSeconds,
    polarsSeconds,
    originalWaySeconds,
    peakMemoryMiB,
  };
}

/** Trigger to reconciled bronze, into an empty lake. */
async function loadBySegue(world: World, name: string): Promise<{ result: InitialDataLoadResult; seconds: number }> {
  await empty(world, lake.buckets.landing, '');
  await empty(world, lake.buckets.data, '');
  const startedAt = performance.now();
  const handle = await world.client.workflow.start('initialDataLoad', {
    taskQueue,
    workflowId: `bench/${name}`,
    args: [{ refresh: false }],
  });
  const result = (await handle.result()) as InitialDataLoadResult;
  const seconds = (performance.now() - startedAt) / 1000;
  if (result.rows.bronze !== result.rows.inFiles) throw new Error(`${name}: rows are missing`);
  console.log(`segue ${name}: ${seconds.toFixed(1)} s ${JSON.stringify(result.seconds)}`);
  return { result, seconds };
}

async function loadByWarmSpark(world: World, name: string): Promise<number> {
  const landing = `s3a://${lake.buckets.landing}/${lake.prefixes.historical.replace(/\/$/, '')}`;
  const script = [
    join(baselines, 'warm_spark.py'),
    landing,
    `s3a://${lake.buckets.data}/bench-${name}`,
    ...world.files,
  ];
  const { stdout } = await execa(world.stack.installed.python, script, {
    env: { ...world.env, SPARK_REMOTE: world.stack.env['SEGUE_SPARK_REMOTE']! },
  });
  return said('warm Spark', name, stdout);
}

async function loadByPolars(world: World, name: string): Promise<number> {
  const script = [
    join(baselines, 'polars_delta.py'),
    world.dataDir,
    `s3://${lake.buckets.data}/polars-${name}`,
    ...world.files,
  ];
  const { stdout } = await execa(world.polars, script, { env: { ...world.env } });
  return said('Polars with delta-rs', name, stdout);
}

/** Sequential uploads, then one cold spark-submit, the tables one after another. */
async function loadTheOriginalWay(world: World): Promise<number> {
  await empty(world, lake.buckets.landing, '');
  const startedAt = performance.now();
  for (const file of world.files) {
    await world.store.uploadFile({
      bucket: lake.buckets.landing,
      key: `original/${file}`,
      path: join(world.dataDir, file),
      metadata: {},
    });
  }
  const { sparkSubmit, sparkJarsDir, sparkHome, python } = world.stack.installed;
  await execa(
    sparkSubmit,
    [
      ...['--master', 'local[*]', '--driver-memory', '4g'],
      ...['--properties-file', fileURLToPath(new URL('../spark-submit/conf/spark-defaults.conf', import.meta.url))],
      ...['--conf', `spark.hadoop.fs.s3a.endpoint=${world.env['AWS_ENDPOINT_URL']}`],
      ...['--conf', 'spark.hadoop.fs.s3a.endpoint.region=us-east-1'],
      ...['--conf', `spark.driver.extraClassPath=${sparkJarsDir}/*`],
      join(baselines, 'original_way.py'),
      `s3a://${lake.buckets.landing}/original`,
      `s3a://${lake.buckets.data}/original`,
      ...world.files,
    ],
    { env: { ...world.env, SPARK_HOME: sparkHome, SPARK_LOCAL_IP: '127.0.0.1', PYSPARK_PYTHON: python } },
  );
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(`the original's way: ${seconds.toFixed(1)} s`);
  return seconds;
}

function said(who: string, name: string, stdout: string): number {
  const { seconds } = JSON.parse(stdout.trim().split('\n').at(-1)!) as { seconds: number };
  console.log(`${who} ${name}: ${seconds.toFixed(1)} s`);
  return seconds;
}

async function empty({ store }: World, bucket: string, prefix: string): Promise<void> {
  for (const key of await store.list(bucket, prefix)) await store.remove(bucket, key);
}

async function writeAndTell(measured: Measured): Promise<void> {
  const segue = median(measured.segueSeconds);
  const ratios = {
    toWarmSpark: segue / median(measured.warmSparkSeconds),
    toPolars: segue / median(measured.polarsSeconds),
    originalWayToSegue: measured.originalWaySeconds / segue,
  };
  const path = await writeResult('initial-load', { ...measured, medianSeconds: segue, ratios });
  console.log(
    `median ${segue.toFixed(1)} s: ${ratios.toWarmSpark.toFixed(2)} times warm Spark, ${ratios.toPolars.toFixed(2)} times Polars`,
  );
  console.log(`the original's way takes ${ratios.originalWayToSegue.toFixed(2)} times as long; written to ${path}`);
}
