import { setTimeout as sleep } from 'node:timers/promises';
import {
  CompressionTypes,
  Kafka,
  logLevel,
  Partitioners,
  type LogEntry,
  type Producer,
  type RetryOptions,
  type SASLOptions,
} from 'kafkajs';
import { EventBatcher } from './event-batches.ts';
import type { Logger } from './logger.ts';
import type { KafkaAccess } from './service-access.ts';

/** One record to send: `key` decides the partition, `value` is sent as JSON (null deletes the key of a compacted topic). */
export interface OutgoingEvent {
  readonly key: string;
  readonly value: unknown;
}

/** Sends events; the only Kafka that the rest of the code knows, so that another client can take kafkajs's place. */
export interface EventProducer {
  /** Whether Kafka takes events now, as far as the last ones show. */
  readonly isHealthy: boolean;
  /**
   * Resolves once every in-sync replica has all events (acks=all); rejects when that is not known. Events of one topic that
   * come at about the same time travel together, in the order they came. When the signal is aborted, events that are not under
   * way yet are taken back.
   */
  send(topic: string, events: readonly OutgoingEvent[], signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** How to reach Kafka, and who says so. */
export interface KafkaOptions extends KafkaAccess {
  readonly clientId: string;
  readonly logger: Logger;
}

const batching = { lingerMs: 5, mostEvents: 1_000, mostWaiting: 20_000, stalledMs: 5_000 };
/** A batch is repeated for about two minutes under its own sequence numbers, so that a lost answer never writes it twice. */
const producerRetry = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 120 };
const closeMs = 3_000;

/**
 * A connected, idempotent producer (acks=all, gzip). After a batch that has failed for good it starts over with a producer id
 * of its own: kafkajs would give the failed batch's sequence numbers to the next one, and a broker that has the first would
 * drop the second.
 */
export async function createEventProducer(options: KafkaOptions): Promise<EventProducer> {
  const kafka = createKafka(options, producerRetry);
  let producer: Promise<Producer> | undefined = connectProducer(kafka);
  await producer;

  const batcher = new EventBatcher({
    ...batching,
    send: async (topic, events) => {
      producer ??= connectProducer(kafka);
      const used = producer;
      try {
        await (
          await used
        ).send({
          topic,
          acks: -1,
          compression: CompressionTypes.GZIP,
          messages: events.map(({ key, value }) => ({ key, value: value === null ? null : JSON.stringify(value) })),
        });
      } catch (error) {
        if (producer === used) producer = undefined;
        // What failed is the send; that its connection cannot be closed either changes nothing.
        void used.then((broken) => broken.disconnect()).catch(() => undefined);
        throw error;
      }
    },
  });

  return {
    get isHealthy() {
      return producer !== undefined && !batcher.isStalled;
    },
    send: (topic, events, signal) => batcher.send(topic, events, signal),
    async close() {
      const closing = producer?.then((connected) => connected.disconnect());
      await Promise.race([closing, sleep(closeMs, undefined, { ref: false })]);
    },
  };
}

async function connectProducer(kafka: Kafka): Promise<Producer> {
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 5,
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  return producer;
}

/** kafkajs, told how we wait and where to log. */
export function createKafka(
  options: KafkaOptions,
  retry: RetryOptions = { initialRetryTime: 200, maxRetryTime: 2_000, retries: 8 },
): Kafka {
  return new Kafka({
    clientId: options.clientId,
    brokers: [...options.brokers],
    ...(options.ssl && { ssl: options.ssl.ca === undefined ? true : { ca: options.ssl.ca } }),
    ...(options.sasl && { sasl: saslOf(options.sasl) }),
    connectionTimeout: 3_000,
    requestTimeout: 10_000,
    retry,
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => logKafka(options.logger, entry),
  });
}

/** kafkajs has a type for each mechanism. */
function saslOf({ mechanism, username, password }: NonNullable<KafkaAccess['sasl']>): SASLOptions {
  if (mechanism === 'plain') return { mechanism, username, password };
  if (mechanism === 'scram-sha-256') return { mechanism, username, password };
  return { mechanism, username, password };
}

/** kafkajs calls an error what it will try again itself: what becomes of it is logged by who asked. */
function logKafka(logger: Logger, { level, namespace, log }: LogEntry): void {
  const { message, ...fields } = log;
  if (level === logLevel.ERROR) logger.warn({ namespace, ...fields }, message);
  else logger.debug({ namespace, ...fields }, message);
}
