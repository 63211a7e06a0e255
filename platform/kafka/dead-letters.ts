import { randomUUID } from 'node:crypto';
import { CompressionTypes, Partitioners, type IHeaders, type Kafka, type KafkaMessage, type Producer } from 'kafkajs';
import { deadLetterTopic } from '../../contracts/topics.ts';
import { runBatches, type RawBatch } from './batches.ts';
import { createKafka, type KafkaOptions } from './client.ts';

/** A refused record: its place, the reason, and its content. */
export interface DeadLetter {
  /** Offset in the dead letter topic. */
  readonly offset: number;
  readonly reason: string;
  /** Where the record lay: equal for a letter that was written twice. */
  readonly place: string;
  readonly detectedAt: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** The record's own headers. */
  readonly headers: IHeaders;
  readonly isReplayed: boolean;
}

const replayGroup = 'segue-dlq-replay';
const longestReadMs = 60_000;

/** Every record that was refused from a topic, oldest first, as far as Kafka still has them. */
export async function listDeadLetters(options: KafkaOptions, topic: string): Promise<readonly DeadLetter[]> {
  const kafka = createKafka(options);
  const replayed = await committedOffset(kafka, deadLetterTopic(topic));
  const letters: DeadLetter[] = [];
  const reader = { topic: deadLetterTopic(topic), groupId: `segue-dlq-list-${randomUUID()}`, from: 0 };
  await readToEnd(kafka, reader, async ({ messages }) => {
    letters.push(...messages.map((message) => toLetter(message, replayed)));
  });
  return letters;
}

/**
 * Sends every refused record that was not replayed before to its original topic, unchanged. A record that is refused
 * again comes back as a new dead letter. If a replay is interrupted, the next replay continues it and sends some
 * records twice. Readers recognise these records by their event ids. A letter that was written twice is sent once.
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
    await readToEnd(kafka, { topic: deadLetterTopic(topic), groupId: replayGroup, from }, async ({ messages }) => {
      seen += messages.length;
      const fresh = messages.map((message) => toLetter(message, from)).filter(({ place }) => !places.has(place));
      const once = [...new Map(fresh.map((letter) => [letter.place, letter])).values()];
      for (const { place } of once) places.add(place);
      // Send the letters separately: together they may exceed Kafka's limit, and a letter that is too large must not
      // block the remaining letters.
      for (const letter of once) await resend(producer, topic, letter);
    });
  } finally {
    await producer.disconnect();
  }
  return { replayed: places.size, doubled: seen - places.size };
}

async function resend(producer: Producer, topic: string, { key, value, headers, place }: DeadLetter): Promise<void> {
  await producer.send({
    topic,
    acks: -1,
    compression: CompressionTypes.GZIP,
    messages: [{ key, value, headers: { ...headers, 'segue-replay-of': place } }],
  });
}

function toLetter(message: KafkaMessage, replayedBefore: number): DeadLetter {
  const header = (name: string): string => textOf(message.headers?.[`segue-${name}`]);
  const offset = Number(message.offset);
  const place = `${header('topic')}-${header('partition')}-${header('offset')}`;
  return {
    offset,
    reason: header('reason') || 'no reason given',
    // A letter that was not written by a stream stands for itself.
    place: /-\d+-\d+$/.test(place) ? place : `${offset}`,
    detectedAt: header('detected-at'),
    key: message.key,
    value: message.value,
    headers: Object.fromEntries(Object.entries(message.headers ?? {}).filter(([name]) => !name.startsWith('segue-'))),
    isReplayed: offset < replayedBefore,
  };
}

/** A header's text; the first where a producer gave it several times: the stream writes its own before those of the record. */
function textOf(value: IHeaders[string]): string {
  const [first] = Array.isArray(value) ? value : [value];
  return first === undefined ? '' : first.toString();
}

/** The offset up to which the dead letters (a single partition) were replayed. */
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

/**
 * Reads a topic with a single partition up to its current end and commits the offsets that `take` has handled. Rejects
 * if the consumer ends, a batch is unreadable, or no record arrives for a minute.
 */
async function readToEnd(
  kafka: Kafka,
  { topic, groupId, from }: { readonly topic: string; readonly groupId: string; readonly from: number },
  take: (batch: RawBatch) => Promise<void>,
): Promise<void> {
  const end = await endOffset(kafka, topic, from);
  if (end === undefined) return;
  const consumer = kafka.consumer({ groupId });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const giveUp = (): void => reject(new Error(`${topic} was not read within ${longestReadMs} ms`));
      let timer = setTimeout(giveUp, longestReadMs);
      const takeUpToEnd = async (batch: RawBatch): Promise<void> => {
        clearTimeout(timer);
        timer = setTimeout(giveUp, longestReadMs);
        refuseUnreadable(batch);
        await take({ ...batch, messages: batch.messages.filter(({ offset }) => Number(offset) < end) });
        const next = Math.min(end, batch.next);
        await consumer.commitOffsets([{ topic, partition: 0, offset: String(next) }]);
        if (next < end) return;
        clearTimeout(timer);
        resolve();
      };
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) reject(payload.error);
      });
      runBatches(consumer, (batch) => takeUpToEnd(batch).catch(reject), reject).catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
}

function refuseUnreadable({ topic, unreadable: [found] }: RawBatch): void {
  if (!found) return;
  throw new Error(
    `${topic}, offsets ${found.first} to ${found.last}: a batch in ${found.reason} cannot be read; ` +
      'see docs/runbooks/streams.md, "A batch that the API cannot read"',
  );
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
