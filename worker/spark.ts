import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RecommenderSettings, SparkProcessOptions, SparkTarget, StreamSettings } from '../activities/index.ts';
import { kafkaAccess, kafkaJavaProperties } from '../platform/service-access.ts';
import { variablesOfOtherSparks, variablesOfSparkConnect } from '../platform/variables.ts';
import type { WorkerConfig } from './config.ts';

const sparkRoom = fileURLToPath(new URL('../spark-submit/', import.meta.url));
const contractsRoom = fileURLToPath(new URL('../contracts/', import.meta.url));

/** How this worker runs Spark jobs; the store's credentials go by environment, never by argument. */
export function sparkProcessOptions(config: WorkerConfig): SparkProcessOptions {
  return {
    jobsDir: join(sparkRoom, 'jobs'),
    target: sparkTarget(config),
    env: {
      AWS_ENDPOINT_URL: config.SEGUE_S3_ENDPOINT,
      AWS_REGION: config.SEGUE_S3_REGION,
      AWS_ACCESS_KEY_ID: config.SEGUE_S3_ACCESS_KEY,
      AWS_SECRET_ACCESS_KEY: config.SEGUE_S3_SECRET_KEY,
      PYTHONUNBUFFERED: '1',
      PYSPARK_PYTHON: config.SEGUE_PYTHON,
    },
    withoutEnv: config.SEGUE_SPARK_REMOTE ? variablesOfOtherSparks : noneOf(config.SEGUE_SPARK_MASTER ?? 'local[*]'),
  };
}

/** A cluster may need further settings. A Spark on this machine needs none. */
function noneOf(master: string): RegExp {
  return master.startsWith('local') ? variablesOfOtherSparks : variablesOfSparkConnect;
}

/** How this worker runs the streaming driver: its own JVM with a small heap, which ends with the worker. */
export function streamProcessOptions(config: WorkerConfig): SparkProcessOptions {
  const master = config.SEGUE_STREAM_MASTER ?? config.SEGUE_SPARK_MASTER ?? 'local[2]';
  const settings = {
    'spark.driver.memory': config.SEGUE_STREAM_MEMORY,
    // A small heap that is idle most of the time: a single collector thread and a bounded code cache.
    'spark.driver.extraJavaOptions': '-XX:+UseSerialGC -XX:ReservedCodeCacheSize=96m -XX:CICompilerCount=2',
    'spark.ui.enabled': 'false',
    'spark.sql.shuffle.partitions': '2',
    'spark.sql.streaming.minBatchesToRetain': '20',
    // Each batch writes a small file. The driver itself compacts fifty of them into a single file.
    'spark.databricks.delta.autoCompact.enabled': 'true',
    'spark.databricks.delta.autoCompact.minNumFiles': '50',
    'spark.databricks.delta.autoCompact.maxFileSize': '33554432',
    // A stream commits often: readers load a checkpoint and at most this many commits after it.
    'spark.databricks.delta.properties.defaults.checkpointInterval': '50',
    // Tens of thousands of commits a day would be kept for a month: as long as vacuum keeps files is enough.
    'spark.databricks.delta.properties.defaults.logRetentionDuration': 'interval 7 days',
    ...(master.startsWith('local') && { 'spark.driver.host': '127.0.0.1', 'spark.driver.bindAddress': '127.0.0.1' }),
  };
  const options = sparkProcessOptions(config);
  const submit = [...submitArguments(config, master), ...confArguments(settings)];
  return {
    ...options,
    env: {
      ...options.env,
      SEGUE_KAFKA_PROPERTIES: JSON.stringify(kafkaJavaProperties(kafkaAccess(config))),
      ...(master.startsWith('local') && { SPARK_LOCAL_IP: '127.0.0.1' }),
    },
    withoutEnv: noneOf(master),
    target: { kind: 'driver', python: config.SEGUE_PYTHON, arguments: submit },
  };
}

/** The settings of the streams. */
export function streamSettings(config: WorkerConfig): StreamSettings {
  return {
    servers: config.SEGUE_KAFKA_BROKERS.join(','),
    triggerMs: config.SEGUE_STREAM_TRIGGER_MS,
    maxOffsetsPerTrigger: config.SEGUE_STREAM_MAX_OFFSETS,
    earliest: config.SEGUE_EARLIEST_LISTEN,
  };
}

function sparkTarget(config: WorkerConfig): SparkTarget {
  if (config.SEGUE_SPARK_REMOTE) {
    return { kind: 'connect', remote: config.SEGUE_SPARK_REMOTE, python: config.SEGUE_PYTHON };
  }
  return {
    kind: 'submit',
    command: config.SEGUE_SPARK_SUBMIT,
    arguments: submitArguments(config, config.SEGUE_SPARK_MASTER ?? 'local[*]'),
  };
}

function submitArguments(config: WorkerConfig, master: string): string[] {
  const properties = config.SEGUE_SPARK_PROPERTIES ?? join(sparkRoom, 'conf', 'spark-defaults.conf');
  const jars = config.SEGUE_SPARK_JARS && `${config.SEGUE_SPARK_JARS}/*`;
  const settings = {
    'spark.hadoop.fs.s3a.endpoint': config.SEGUE_S3_ENDPOINT,
    'spark.hadoop.fs.s3a.endpoint.region': config.SEGUE_S3_REGION,
    ...(jars && { 'spark.driver.extraClassPath': jars, 'spark.executor.extraClassPath': jars }),
  };
  return ['--master', master, '--properties-file', properties, ...confArguments(settings)];
}

function confArguments(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['--conf', `${name}=${value}`]);
}

/** The settings of the recommendations. */
export function recommenderSettings(config: WorkerConfig): RecommenderSettings {
  return {
    weekEndsOn: config.SEGUE_WEEK_END,
    earliest: config.SEGUE_EARLIEST_LISTEN,
    recommendationsPerUser: config.SEGUE_RECOMMENDATIONS_PER_USER,
    snapshotShards: config.SEGUE_SNAPSHOT_SHARDS,
    seed: config.SEGUE_MODEL_SEED,
  };
}

/** A fingerprint of the jobs' code, the contracts they read and the settings: new code makes a refresh worth doing. */
export async function codeVersion(settings: RecommenderSettings): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(settings));
  for (const folder of ['jobs', 'lakehouse']) {
    const names = await readdir(join(sparkRoom, folder), { recursive: true });
    const files = names.filter((name) => name.endsWith('.py')).toSorted();
    for (const file of files) hash.update(file).update(await readFile(join(sparkRoom, folder, file)));
  }
  for (const contract of ['lake.json', 'acceptance/rules.json']) {
    hash.update(await readFile(join(contractsRoom, contract)));
  }
  return hash.digest('hex');
}
