import {
  CompressionTypes,
  Kafka,
  logLevel,
  Partitioners,
  type Consumer,
  type KafkaMessage,
  type LogEntry,
} from 'kafkajs';
import type { Logger } from './logger.ts';

/** One record to send: `key` decides the partition, `value` is sent as JSON. */
export interface OutgoingEvent {
  readonly key: string;
  readonly value: unknown;
}

/** Sends events; the only Kafka that the rest of the code knows, so that another client can take kafkajs's place. */
export interface EventProducer {
  /** Resolves once every in-sync replica has all events (acks=all); rejects when that is not known. */
  send(topic: string, events: readonly OutgoingEvent[]): Promise<void>;
  close(): Promise<void>;
}

/** One record read from Kafka. `offset` is a decimal string: offsets exceed what a number holds. */
export interface IncomingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly key: string | null;
  readonly value: string | null;
  readonly timestampMs: number;
}

/** Reads topics as one member of a consumer group; a handler that throws makes the record come again. */
export interface EventConsumer {
  run(handler: (record: IncomingRecord) => Promise<void> | void): Promise<void>;
  close(): Promise<void>;
}

/** How to reach Kafka, and who says so. */
export interface KafkaOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly logger: Logger;
}

/**
 * A connected, idempotent producer (acks=all): a retry inside the client never writes twice. Connecting is retried for as
 * long as kafkajs retries by itself; the promise rejects when the brokers stay away.
 */
export async function createEventProducer(options: KafkaOptions): Promise<EventProducer> {
  const producer = createKafka(options).producer({
    idempotent: true,
    maxInFlightRequests: 5,
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  return {
    async send(topic, events) {
      await producer.send({
        topic,
        acks: -1,
        compression: CompressionTypes.GZIP,
        messages: events.map((event) => ({ key: event.key, value: JSON.stringify(event.value) })),
      });
    },
    close: () => producer.disconnect(),
  };
}

/** A consumer of some topics from their current end on (or their beginning), in the given group. */
export async function createEventConsumer(
  options: KafkaOptions & {
    readonly groupId: string;
    readonly topics: readonly string[];
    readonly fromBeginning: boolean;
  },
): Promise<EventConsumer> {
  const consumer = createKafka(options).consumer({ groupId: options.groupId });
  await consumer.connect();
  await consumer.subscribe({ topics: [...options.topics], fromBeginning: options.fromBeginning });
  return { run: (handler) => runConsumer(consumer, handler), close: () => consumer.disconnect() };
}

async function runConsumer(
  consumer: Consumer,
  handler: (record: IncomingRecord) => Promise<void> | void,
): Promise<void> {
  await consumer.run({
    eachMessage: async ({ topic, partition, message }) => {
      await handler(toRecord(topic, partition, message));
    },
  });
}

function toRecord(topic: string, partition: number, message: KafkaMessage): IncomingRecord {
  return {
    topic,
    partition,
    offset: message.offset,
    key: message.key?.toString('utf8') ?? null,
    value: message.value?.toString('utf8') ?? null,
    timestampMs: Number(message.timestamp),
  };
}

function createKafka(options: KafkaOptions): Kafka {
  return new Kafka({
    clientId: options.clientId,
    brokers: [...options.brokers],
    connectionTimeout: 3_000,
    retry: { initialRetryTime: 200, retries: 8 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => logKafka(options.logger, entry),
  });
}

function logKafka(logger: Logger, { level, namespace, log }: LogEntry): void {
  const { message, ...fields } = log;
  if (level === logLevel.ERROR) logger.error({ namespace, ...fields }, message);
  else logger.warn({ namespace, ...fields }, message);
}
