import type { Batch, Consumer, KafkaMessage } from 'kafkajs';
import { unreadableReason } from './codecs.ts';

/** A record read from Kafka. Offsets are numbers: 2^53 records are 285,000 years at a thousand a second. */
export interface IncomingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly timestampMs: number;
}

/** Records of a batch that this process cannot read: the offsets `first` to `last`, and why (mostly the codec). */
export interface UnreadableRecords {
  readonly first: number;
  readonly last: number;
  readonly reason: string;
}

/**
 * A stretch of a partition that the reader has read. Transaction markers and aborted records take offsets but are not
 * records. So a stretch may have no records, and only `next` says how far it reaches.
 */
interface Stretch {
  readonly topic: string;
  readonly partition: number;
  /** The offset after everything in it. */
  readonly next: number;
  readonly unreadable: readonly UnreadableRecords[];
}

/** A stretch and its records, parsed as far as Kafka goes. */
export interface IncomingBatch extends Stretch {
  /** In order of their offsets. */
  readonly records: readonly IncomingRecord[];
  /** True if the topic starts again here: it was deleted and created again, and its offsets count from 0. */
  readonly isRestarted: boolean;
}

/** A stretch with Kafka's own records, for a caller that forwards the records unchanged. */
export interface RawBatch extends Stretch {
  readonly messages: readonly KafkaMessage[];
}

/**
 * Runs a consumer and hands every stretch over, those without a record too. Nothing is committed. A handler that throws gets a
 * stretch with records again; a stretch without records is told once, and `fail` is told when its handler throws.
 */
export async function runBatches(
  consumer: Consumer,
  take: (batch: RawBatch) => Promise<void>,
  fail: (cause: Error) => void,
): Promise<void> {
  // Of markers and aborted records alone kafkajs never calls eachBatch.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    const { topic, partition, batchSize, lastOffset } = payload;
    if (batchSize > 0) return;
    take({ topic, partition, messages: [], unreadable: [], next: Number(lastOffset) + 1 }).catch(fail);
  });
  await consumer.run({
    autoCommit: false,
    eachBatch: async (payload) => {
      await take(toRawBatch(payload.batch));
      payload.resolveOffset(payload.batch.lastOffset());
      await payload.heartbeat();
    },
  });
}

function toRawBatch(batch: Batch): RawBatch {
  const { topic, partition } = batch;
  const next = Number(batch.lastOffset()) + 1;
  const isUnreadable = batch.messages.some((message) => unreadableReason(message) !== undefined);
  if (!isUnreadable) return { topic, partition, messages: batch.messages, next, unreadable: [] };
  const messages = batch.messages.filter((message) => unreadableReason(message) === undefined);
  return { topic, partition, messages, next, unreadable: stretchesOf(batch.messages) };
}

/** Unreadable records that lie side by side, for the same reason. */
function stretchesOf(messages: readonly KafkaMessage[]): readonly UnreadableRecords[] {
  const found: UnreadableRecords[] = [];
  let before: string | undefined;
  for (const message of messages) {
    const reason = unreadableReason(message);
    const last = Number(message.offset);
    const open = reason !== undefined && reason === before ? found.pop() : undefined;
    if (reason !== undefined) found.push({ first: open?.first ?? last, last, reason });
    before = reason;
  }
  return found;
}

export function toRecord(topic: string, partition: number, message: KafkaMessage): IncomingRecord {
  return {
    topic,
    partition,
    offset: Number(message.offset),
    key: message.key?.toString('utf8') ?? null,
    value: message.value?.toString('utf8') ?? null,
    timestampMs: Number(message.timestamp),
  };
}
