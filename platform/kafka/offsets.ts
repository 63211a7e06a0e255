import type { Admin } from 'kafkajs';
import type { PartitionOffset } from './consumer.ts';
import { createKafka, type KafkaOptions } from './client.ts';

/** The offsets that Kafka holds of a partition: from `low` up to, but not including, `high`. */
export interface PartitionBounds {
  readonly topic: string;
  readonly partition: number;
  readonly low: number;
  readonly high: number;
}

/** The current offsets of these topics, partitions in order. */
export async function readBounds(
  options: KafkaOptions,
  topics: readonly string[],
): Promise<readonly PartitionBounds[]> {
  return withAdmin(options, async (admin) => {
    const bounds = await Promise.all(
      topics.map(async (topic) =>
        (await admin.fetchTopicOffsets(topic)).map(({ partition, low, high }) => ({
          topic,
          partition,
          low: Number(low),
          high: Number(high),
        })),
      ),
    );
    return bounds
      .flat()
      .toSorted((one, other) => one.topic.localeCompare(other.topic) || one.partition - other.partition);
  });
}

/** Where the first record at or after a time lies in each partition; the end where there is none. */
export async function offsetsAt(
  options: KafkaOptions,
  topics: readonly string[],
  timestampMs: number,
): Promise<readonly PartitionOffset[]> {
  return withAdmin(options, async (admin) => {
    const offsets = await Promise.all(
      topics.map(async (topic) =>
        (await admin.fetchTopicOffsetsByTimestamp(topic, timestampMs)).map(({ partition, offset }) => ({
          topic,
          partition,
          offset: Number(offset),
        })),
      ),
    );
    return offsets.flat();
  });
}

async function withAdmin<Answer>(options: KafkaOptions, use: (admin: Admin) => Promise<Answer>): Promise<Answer> {
  const admin = createKafka(options).admin();
  try {
    await admin.connect();
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}
