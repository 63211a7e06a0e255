import type { KafkaMessage } from 'kafkajs';
import { createKafka, type KafkaOptions } from './kafka.ts';

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
  return {
    run: (handler) =>
      consumer.run({
        eachMessage: async ({ topic, partition, message }) => {
          await handler(toRecord(topic, partition, message));
        },
      }),
    close: () => consumer.disconnect(),
  };
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
