import { randomUUID } from 'node:crypto';
import { CompressionTypes, Partitioners, type Kafka, type KafkaMessage, type Producer } from 'kafkajs';
import { deadLetterTopic } from '../contracts/topics.ts';
import { createKafka, type KafkaOptions } from './kafka.ts';

/** One refused record: where it lay, why it was refused, and what it holds. */
export interface DeadLetter {
  /** Offset in the dead letter topic. */
  readonly offset: number;
  readonly reason: string;
  /** Where the record lay: equal for a letter that was written twice. */
  readonly place: string;
  readonly detectedAt: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly isReplayed: boolean;
}

const replayGroup = 'segue-dlq-replay';

/** Every record that was refused from a topic, oldest first, as far as Kafka still has them. */
export async function listDeadLetters(options: KafkaOptions, topic: string): Promise<readonly DeadLetter[]> {
  const kafka = createKafka(options);
  const replayed = await committedOffset(kafka, deadLetterTopic(topic));
  const letters: DeadLetter[] = [];
  await readToEnd(
    kafka,
    { topic: deadLetterTopic(topic), groupId: `segue-dlq-list-${randomUUID()}`, from: 0 },
    (found) => {
      letters.push(...found.map((message) => toLetter(message, replayed)));
      return Promise.resolve();
    },
  );
  return letters;
}

/**
 * Sends every refused record that was not replayed before to its topic again, as it was. What is refused again comes back as a
 * new dead letter. Where a replay is broken off, the next one goes on; the records in between are sent twice, which their event
 * ids tell. A letter that was written twice is sent once.
 */
export async function replayDeadLetters(
  options: KafkaOptions,
  topic: string,
): Promise<{ readonly replayed: number; readonly doubled: number }> {
  const kafka = createKafka(options);
  const from = await committedOffset(kafka, deadLetterTopic(topic));
  const producer = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner });
  const places = new Set<string>();
  let seen = 0;
  await producer.connect();
  try {
    await readToEnd(kafka, { topic: deadLetterTopic(topic), groupId: replayGroup, from }, async (messages) => {
      seen += messages.length;
      const fresh = messages.map((message) => toLetter(message, from)).filter(({ place }) => !places.has(place));
      const once = [...new Map(fresh.map((letter) => [letter.place, letter])).values()];
      for (const { place } of once) places.add(place);
      if (once.length > 0) await resend(producer, topic, once);
    });
  } finally {
    await producer.disconnect();
  }
  return { replayed: places.size, doubled: seen - places.size };
}

async function resend(producer: Producer, topic: string, letters: readonly DeadLetter[]): Promise<void> {
  await producer.send({
    topic,
    acks: -1,
    compression: CompressionTypes.GZIP,
    messages: letters.map(({ key, value, place }) => ({ key, value, headers: { 'segue-replay-of': place } })),
  });
}

function toLetter(message: KafkaMessage, replayedBefore: number): DeadLetter {
  const header = (name: string): string => String(message.headers?.[`segue-${name}`] ?? '');
  const offset = Number(message.offset);
  const place = `${header('topic')}-${header('partition')}-${header('offset')}`;
  return {
    offset,
    reason: header('reason') || 'no reason given',
    // A letter that was not written by a stream stands for itself.
    place: header('offset') === '' ? `${offset}` : place,
    detectedAt: header('detected-at'),
    key: message.key,
    value: message.value,
    isReplayed: offset < replayedBefore,
  };
}

/** Up to where the dead letters (one partition) have been replayed. */
async function committedOffset(kafka: Kafka, topic: string): Promise<number> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const [found] = await admin.fetchOffsets({ groupId: replayGroup, topics: [topic] });
    return Math.max(0, Number(found?.partitions[0]?.offset ?? 0));
  } finally {
    await admin.disconnect();
  }
}

/** Reads a topic of one partition up to what is in it now; commits what `take` has dealt with. */
async function readToEnd(
  kafka: Kafka,
  { topic, groupId, from }: { readonly topic: string; readonly groupId: string; readonly from: number },
  take: (messages: readonly KafkaMessage[]) => Promise<void>,
): Promise<void> {
  const end = await endOffset(kafka, topic, from);
  if (end === undefined) return;
  const consumer = kafka.consumer({ groupId });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const eachBatch = async ({
        batch,
      }: {
        batch: { messages: KafkaMessage[]; lastOffset(): string };
      }): Promise<void> => {
        const messages = batch.messages.filter(({ offset }) => Number(offset) < end);
        await take(messages);
        const next = Math.min(end, Number(batch.lastOffset()) + 1);
        await consumer.commitOffsets([{ topic, partition: 0, offset: String(next) }]);
        if (next >= end) resolve();
      };
      consumer.run({ autoCommit: false, eachBatch: (payload) => eachBatch(payload).catch(reject) }).catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
}

/** The offset after the last record, or undefined when there is nothing from `from` on. */
async function endOffset(kafka: Kafka, topic: string, from: number): Promise<number | undefined> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const [partition] = await admin.fetchTopicOffsets(topic);
    const high = Number(partition?.high ?? 0);
    return high > Math.max(from, Number(partition?.low ?? 0)) ? high : undefined;
  } finally {
    await admin.disconnect();
  }
}
