import { randomUUID } from 'node:crypto';
import type { Consumer, EachBatchPayload, KafkaMessage } from 'kafkajs';
import { createKafka, type KafkaOptions } from './kafka.ts';

/** One record read from Kafka. Offsets are numbers: 2^53 records are 285,000 years at a thousand a second. */
export interface IncomingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly timestampMs: number;
}

/** Where to read on in one partition: the offset of the next record. */
export interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** A stretch of one partition: from `offset` up to, but not including, `end`. */
export interface PartitionRange extends PartitionOffset {
  readonly end: number;
}

/** While Kafka is away the reader waits for it, for as long as it takes. */
const consumerRetry = { initialRetryTime: 200, maxRetryTime: 1_000, retries: 1_000_000 };
const replaceMs = 1_000;

/** Takes records of one partition, in order; one that throws gets them again. */
export type RecordHandler = (records: readonly IncomingRecord[]) => void | Promise<void>;

/**
 * Reads partitions from these offsets on until it is closed, in a group of its own that leaves nothing behind in Kafka. After a
 * lost connection it goes on where it was.
 */
export async function consumeFrom(
  options: KafkaOptions,
  start: readonly PartitionOffset[],
  handler: RecordHandler,
): Promise<{ close(): Promise<void> }> {
  const next = new Map(start.map((position) => [nameOf(position), { ...position }]));
  let isClosed = false;
  let current = await connect();

  async function connect(): Promise<Consumer> {
    const consumer = createKafka(options, consumerRetry).consumer({
      groupId: `${options.clientId}-${randomUUID()}`,
      maxWaitTimeInMs: 100,
    });
    // Nothing is committed: whoever joins, first or again, is told where to go on.
    consumer.on(consumer.events.GROUP_JOIN, () => seek(consumer, [...next.values()]));
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (payload.restart || isClosed) return;
      options.logger.error({ err: payload.error }, 'the reader of Kafka has ended; another takes its place');
      setTimeout(() => void replace(), replaceMs);
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: topicsOf(start) });
      await consumer.run({ autoCommit: false, eachBatch: take });
      return consumer;
    } catch (error) {
      await consumer.disconnect();
      throw error;
    }
  }

  async function replace(): Promise<void> {
    try {
      if (isClosed) return;
      current = await connect();
      if (isClosed) await current.disconnect();
    } catch (error) {
      options.logger.warn({ err: error }, 'Kafka cannot be read; trying again');
      setTimeout(() => void replace(), replaceMs);
    }
  }

  async function take(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const position = next.get(nameOf(batch));
    const records = batch.messages
      .map((message) => toRecord(batch.topic, batch.partition, message))
      .filter(({ offset }) => position === undefined || offset >= position.offset);
    await handler(records);
    if (position) position.offset = Math.max(position.offset, Number(batch.lastOffset()) + 1);
    payload.resolveOffset(batch.lastOffset());
    await payload.heartbeat();
  }

  return {
    close: async () => {
      isClosed = true;
      await current.disconnect();
    },
  };
}

/** Reads stretches of partitions once; rejects when that takes longer than the time given. */
export async function readRanges(
  options: KafkaOptions,
  ranges: readonly PartitionRange[],
  handler: RecordHandler,
  timeoutMs: number,
): Promise<void> {
  const open = new Map(ranges.filter(({ offset, end }) => offset < end).map((range) => [nameOf(range), range.end]));
  if (open.size === 0) return;
  const wanted = ranges.filter((range) => open.has(nameOf(range)));
  let finish = (): void => undefined;
  let fail = (_cause: unknown): void => undefined;
  const done = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  const timer = setTimeout(() => fail(new Error(`Kafka was not read within ${timeoutMs} ms`)), timeoutMs);
  const reading = consumeFrom(options, wanted, async (records) => {
    const [first] = records;
    const end = first && open.get(nameOf(first));
    if (end === undefined) return;
    await handler(records.filter(({ offset }) => offset < end));
    if (records.at(-1)!.offset + 1 >= end) open.delete(nameOf(first!));
    if (open.size === 0) finish();
  });
  reading.catch(fail);
  try {
    await done;
  } finally {
    clearTimeout(timer);
    // The answer does not wait for the goodbye, and one that fails leaves nothing behind.
    void reading.then((consumer) => consumer.close()).catch(() => undefined);
  }
}

function seek(consumer: Consumer, positions: readonly PartitionOffset[]): void {
  for (const { topic, partition, offset } of positions) consumer.seek({ topic, partition, offset: String(offset) });
}

function topicsOf(positions: readonly PartitionOffset[]): string[] {
  return [...new Set(positions.map(({ topic }) => topic))];
}

function nameOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}-${partition}`;
}

function toRecord(topic: string, partition: number, message: KafkaMessage): IncomingRecord {
  return {
    topic,
    partition,
    offset: Number(message.offset),
    key: message.key?.toString('utf8') ?? null,
    value: message.value?.toString('utf8') ?? null,
    timestampMs: Number(message.timestamp),
  };
}
