import type { IncomingBatch } from './batches.ts';
import type { KafkaOptions } from './client.ts';
import { consumeFrom, nameOf, type BatchHandler, type PartitionOffset } from './consumer.ts';

/** A stretch of a partition: from `offset` up to, but not including, `end`. */
export interface PartitionRange extends PartitionOffset {
  readonly end: number;
}

/**
 * Reads stretches of partitions once. Rejects if the handler rejects, if reading takes longer than the given time, or
 * if a topic is created again during the read. An end may lie behind transaction markers or aborted records: the `next`
 * of the last stretch is the end in that case, too.
 */
export async function readRanges(
  options: KafkaOptions,
  ranges: readonly PartitionRange[],
  handler: BatchHandler,
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
  const reading = consumeFrom(options, wanted, async (batch) => {
    const end = open.get(nameOf(batch));
    if (end === undefined) return;
    if (batch.isRestarted) return fail(new Error(`${batch.topic} was made anew while it was read`));
    try {
      await handler(upTo(batch, end));
    } catch (error) {
      return fail(error);
    }
    if (batch.next >= end) open.delete(nameOf(batch));
    if (open.size === 0) finish();
  });
  reading.catch(fail);
  try {
    await done;
  } finally {
    clearTimeout(timer);
    // The caller does not wait for the disconnect, and a failed disconnect leaves nothing behind.
    void reading.then((consumer) => consumer.close()).catch(() => undefined);
  }
}

function upTo(batch: IncomingBatch, end: number): IncomingBatch {
  if (batch.next <= end) return batch;
  return { ...batch, records: batch.records.filter(({ offset }) => offset < end), next: end };
}
