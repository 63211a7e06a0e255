import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker, type LogEntry, type LogLevel } from '@temporalio/worker';
import {
  createAnnouncementActivities,
  createForgettingActivities,
  createLandingActivities,
  createLoadLedgerActivities,
  createOutcomeActivities,
  createMaintenanceActivities,
  createPublicationActivities,
  createSparkActivities,
  createWriteLockActivities,
  createStreamActivities,
  createWeeklyActivities,
  withJobHost,
} from '../activities/index.ts';
import type { Activities } from '../contracts/activities.ts';
import { topics } from '../contracts/topics.ts';
import { feedbackKeysOf } from '../platform/kafka/feedback-topic.ts';
import { createEventProducer, type EventProducer } from '../platform/kafka/producer.ts';
import type { KafkaOptions } from '../platform/kafka/client.ts';
import type { Logger } from '../platform/logger.ts';
import { ensureTopicSettings } from '../platform/kafka/topics.ts';
import { createObjectStore } from '../platform/object-store.ts';
import { kafkaAccess, temporalAccess } from '../platform/service-access.ts';
import type { WorkerConfig } from './config.ts';
import { ensureSchedules } from './schedules.ts';
import { ensureSearchAttributes } from './search-attributes.ts';
import {
  codeVersion,
  recommenderSettings,
  sparkProcessOptions,
  streamProcessOptions,
  streamSettings,
} from './spark.ts';

/** A stopping worker lets running activities hear of it and end; Spark jobs interrupt their work in Spark first. */
const shutdownGraceTime = '8 seconds';
const shutdownForceTime = '15 seconds';
/** An activity hears of its cancellation with a heartbeat: heartbeats held back longer would let Spark work on. */
const maxHeartbeatThrottleInterval = '2 seconds';

/** The time for which a call runs the streaming driver before the next call takes over. */
const streamWatchMs = 3_600_000;

/** Runs the worker until it is told to stop (SIGINT, SIGTERM); rejects when it cannot start. */
export async function runWorker(config: WorkerConfig, logger: Logger): Promise<void> {
  installRuntime(config, logger);
  await prepareNamespace(config, logger);
  const connection = await NativeConnection.connect(temporalAccess(config));
  const kafka = { ...kafkaAccess(config), clientId: 'segue-worker', logger };
  const producer = lazily(() => createEventProducer(kafka));
  void guardTopics(kafka);
  try {
    const worker = await Worker.create({
      connection,
      namespace: config.SEGUE_TEMPORAL_NAMESPACE,
      taskQueue: config.SEGUE_TASK_QUEUE,
      workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
      activities: { ...(await createActivities(config, kafka, producer.get, untilToldToStop())) },
      shutdownGraceTime,
      shutdownForceTime,
      maxHeartbeatThrottleInterval,
    });
    logger.info({ taskQueue: config.SEGUE_TASK_QUEUE, address: config.SEGUE_TEMPORAL_ADDRESS }, 'worker is ready');
    await worker.run();
  } finally {
    await producer.close();
    await connection.close();
  }
}

/**
 * The settings of existing topics, including topics of an external Kafka. The worker does not wait for the change:
 * consumers also read messages that arrive before it.
 */
async function guardTopics(kafka: KafkaOptions): Promise<void> {
  try {
    await ensureTopicSettings(kafka, topics);
  } catch (error) {
    kafka.logger.error({ err: error }, 'the settings of the topics are not known to be those of contracts/topics.json');
  }
}

/** The search attribute of the runs and the schedules that start them. */
async function prepareNamespace(config: WorkerConfig, logger: Logger): Promise<void> {
  const connection = await Connection.connect(temporalAccess(config));
  try {
    await ensureSearchAttributes(connection, config.SEGUE_TEMPORAL_NAMESPACE);
    const client = new Client({ connection, namespace: config.SEGUE_TEMPORAL_NAMESPACE });
    await ensureSchedules(client, config.SEGUE_TASK_QUEUE, logger);
  } finally {
    await connection.close();
  }
}

/** Every activity, with its clients. */
async function createActivities(
  config: WorkerConfig,
  kafka: KafkaOptions,
  producer: () => Promise<EventProducer>,
  stopping: AbortSignal,
): Promise<Activities> {
  const store = createObjectStore({
    endpoint: config.SEGUE_S3_ENDPOINT,
    region: config.SEGUE_S3_REGION,
    accessKey: config.SEGUE_S3_ACCESS_KEY,
    secretKey: config.SEGUE_S3_SECRET_KEY,
  });
  const settings = recommenderSettings(config);
  const code = await codeVersion(settings);
  const spark = withJobHost(sparkProcessOptions(config), stopping);
  const expectSparkJob = (): void => spark.host?.expect();
  return {
    ...createLandingActivities({ dataDir: config.SEGUE_DATA_DIR, store, expectSparkJob }),
    ...createLoadLedgerActivities({ store, now }),
    ...createWeeklyActivities({
      dataDir: config.SEGUE_DATA_DIR,
      store,
      maxRefusedShare: config.SEGUE_MAX_REFUSED_SHARE,
      earliestListen: config.SEGUE_EARLIEST_LISTEN,
      now,
      expectSparkJob,
    }),
    ...createSparkActivities({ process: spark, settings, store, codeVersion: code }),
    ...createPublicationActivities({ store, codeVersion: code, now }),
    ...createOutcomeActivities({ process: spark, store, now }),
    ...createForgettingActivities({
      process: spark,
      store,
      producer,
      feedbackKeys: (userId) => feedbackKeysOf(kafka, userId),
    }),
    ...createMaintenanceActivities({ store, process: spark }),
    ...createStreamActivities({
      process: streamProcessOptions(config),
      store,
      settings: streamSettings(config),
      stopping,
      watchMs: streamWatchMs,
    }),
    ...createAnnouncementActivities({ producer, now }),
    ...createWriteLockActivities(),
  };
}

/**
 * Aborts at the first SIGTERM or SIGINT. An activity with a child process ends the child at once and does not wait for
 * the grace period.
 */
function untilToldToStop(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort());
  return stopping.signal;
}

function now(): Date {
  return new Date();
}

interface LazyProducer {
  readonly get: () => Promise<EventProducer>;
  readonly close: () => Promise<void>;
}

/**
 * Connects at the first use, so that a worker starts without Kafka. After a failed connection the next use tries again.
 */
function lazily(connect: () => Promise<EventProducer>): LazyProducer {
  let pending: Promise<EventProducer> | undefined;
  const get = (): Promise<EventProducer> => {
    pending ??= connect().catch((error: unknown) => {
      pending = undefined;
      throw error;
    });
    return pending;
  };
  return { get, close: async () => (await pending?.catch(() => undefined))?.close() };
}

function installRuntime(config: WorkerConfig, logger: Logger): void {
  const bindAddress = `${config.SEGUE_WORKER_METRICS_HOST}:${config.SEGUE_WORKER_METRICS_PORT}`;
  Runtime.install({
    logger: new DefaultLogger('INFO', (entry) => forward(logger, entry)),
    telemetryOptions: { metrics: { prometheus: { bindAddress } } },
  });
}

const levels: Readonly<Record<LogLevel, 'trace' | 'debug' | 'info' | 'warn' | 'error'>> = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
};

function forward(logger: Logger, { level, message, meta }: LogEntry): void {
  logger[levels[level]]({ ...meta }, message);
}
