import { setTimeout as sleep } from 'node:timers/promises';
import { CompressionTypes, Partitioners, type Kafka, type Producer } from 'kafkajs';
import { createKafka, type KafkaOptions } from './client.ts';
import { EventBatcher } from './event-batches.ts';

/**
 * A record to send: `key` decides the partition, and `value` is sent as JSON (null deletes the key of a compacted
 * topic).
 */
export interface OutgoingEvent {
  readonly key: string;
  readonly value: unknown;
}

/** Sends events; the only Kafka that the rest of the code knows, so that another client can take kafkajs's place. */
export interface EventProducer {
  /** True if Kafka accepts events, judged by the last events. */
  readonly isHealthy: boolean;
  /**
   * Resolves when every in-sync replica has all events (acks=all), and rejects if that is unknown. Events of a topic
   * that arrive at about the same time travel together, in order. When the signal is aborted, the producer drops the
   * events that are not yet on their way.
   */
  send(topic: string, events: readonly OutgoingEvent[], signal?: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

const batching = { lingerMs: 5, mostEvents: 1_000, mostWaiting: 20_000, stalledMs: 5_000 };
/**
 * The most bytes of keys and values in a request. Kafka refuses a whole batch over 1 MiB, and gzip does not shrink
 * every text.
 */
export const mostRequestBytes = 768 * 1024;
/** A batch is repeated for about two minutes under its own sequence numbers, so that a lost answer never writes it twice. */
const producerRetry = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 120 };
const closeMs = 3_000;

/**
 * A connected, idempotent producer (acks=all, gzip). After a batch has failed for good, it starts again with a new
 * producer id: kafkajs would reuse the sequence numbers of the failed batch, and a broker that has the failed batch
 * would drop the next batch.
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
        const connected = await used;
        for (const messages of requestsOf(events)) {
          await connected.send({ topic, acks: -1, compression: CompressionTypes.GZIP, messages: [...messages] });
        }
      } catch (error) {
        if (producer === used) producer = undefined;
        // The send failed. A failure to close the connection as well changes nothing.
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

/** A record as it is sent. */
export interface Message {
  readonly key: string;
  readonly value: string | null;
}

/** The events as records, in requests that Kafka takes; an event that is larger alone makes a request of its own. */
export function requestsOf(
  events: readonly OutgoingEvent[],
  mostBytes = mostRequestBytes,
): readonly (readonly Message[])[] {
  const requests: Message[][] = [];
  let bytes = Infinity;
  for (const { key, value } of events) {
    const message = { key, value: value === null ? null : JSON.stringify(value) };
    const size = Buffer.byteLength(key) + Buffer.byteLength(message.value ?? '');
    bytes += size;
    if (bytes > mostBytes) {
      requests.push([]);
      bytes = size;
    }
    requests.at(-1)!.push(message);
  }
  return requests;
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
