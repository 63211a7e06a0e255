import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { topicNames } from '../../contracts/topics.ts';
import { createEventConsumer, type EventConsumer } from '../../platform/kafka-consumer.ts';
import type { KafkaOptions } from '../../platform/kafka.ts';
import type { EventHub } from './hub.ts';

const retryMs = 1_000;

/**
 * Passes every record of our topics on to the hub, from now on, in a consumer group of this process's own: each API process
 * sees every event. Connects in the background, again and again until it succeeds or is closed.
 */
export function watchKafka(kafka: KafkaOptions, hub: EventHub): { close(): Promise<void> } {
  const closing = new AbortController();
  let consumer: EventConsumer | undefined;

  async function connect(): Promise<void> {
    try {
      consumer = await createEventConsumer({
        ...kafka,
        groupId: `segue-api-${randomUUID()}`,
        topics: Object.values(topicNames),
        fromBeginning: false,
      });
      await consumer.run((record) => hub.accept(record));
    } catch (error) {
      kafka.logger.warn({ err: error }, 'Kafka cannot be watched; trying again');
      await sleep(retryMs, undefined, { signal: closing.signal }).then(connect, () => undefined);
    }
  }

  void connect();
  return {
    close: async () => {
      closing.abort();
      await consumer?.close();
    },
  };
}
