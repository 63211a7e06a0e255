import pLimit from 'p-limit';
import { topicNames } from '../../contracts/topics.ts';
import { readRanges, type IncomingRecord, type PartitionRange } from '../../platform/kafka-consumer.ts';
import { offsetsAt, readBounds } from '../../platform/kafka-offsets.ts';
import type { KafkaOptions } from '../../platform/kafka.ts';
import { toStreamEvent, type StreamEvent } from './hub.ts';
import { Position, type RecordId } from './position.ts';

const streamedTopics = [topicNames.listens, topicNames.recommendations, topicNames.pipeline];
/** Records read again for one client; whoever missed more is told so. */
const mostRecords = 100_000;
const readTimeoutMs = 30_000;
const mostReaders = 2;
const mostQueued = 50;
/** How far apart two partitions may have been told: more is read twice rather than less than once. */
const slackMs = 10_000;

/** Why a client cannot have all that it missed, in words for it. */
export class CannotCatchUp extends Error {
  override readonly name = 'CannotCatchUp';
}

/** Reads again from Kafka what this process does not remember. */
export interface CatchUp {
  /**
   * Where a client stands that knows only its last record: exactly in that record's partition, and at least as far back as it
   * was told in the others. Throws CannotCatchUp when Kafka no longer holds the record.
   */
  positionAfter(id: RecordId): Promise<Position>;
  /**
   * Gives what lies between two positions, in order by partition; answers how many records of it Kafka no longer holds.
   * Throws CannotCatchUp when it is too much.
   */
  read(from: Position, to: Position, take: (events: readonly StreamEvent[]) => Promise<void>): Promise<number>;
}

/** A reader of its own for each, two at a time: so that a thousand clients that return at once do not become a thousand readers. */
export function createCatchUp(kafka: KafkaOptions): CatchUp {
  const limit = pLimit(mostReaders);

  async function takeTurn<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    if (limit.pendingCount >= mostQueued) throw new CannotCatchUp('too many clients are catching up; come back later');
    return limit(async () => {
      try {
        return await work();
      } catch (cause) {
        if (cause instanceof CannotCatchUp) throw cause;
        throw new CannotCatchUp('Kafka cannot be read now', { cause });
      }
    });
  }

  return {
    positionAfter: (id) =>
      takeTurn(async () => {
        const record = await readOne(kafka, id);
        const position = new Position();
        for (const { topic, partition, offset } of await offsetsAt(
          kafka,
          streamedTopics,
          record.timestampMs - slackMs,
        )) {
          position.set(topic, partition, offset);
        }
        position.set(id.topic, id.partition, id.offset + 1);
        return position;
      }),
    read: (from, to, take) =>
      takeTurn(async () => {
        const { ranges, lost } = await rangesBetween(kafka, from, to);
        const total = ranges.reduce((sum, { offset, end }) => sum + end - offset, 0);
        if (total > mostRecords)
          throw new CannotCatchUp(`${total} events were missed; at most ${mostRecords} are read again`);
        await readRanges(
          kafka,
          ranges,
          (records) => take(records.flatMap((record) => toStreamEvent(record) ?? [])),
          readTimeoutMs,
        );
        return lost;
      }),
  };
}

async function readOne(kafka: KafkaOptions, { topic, partition, offset }: RecordId): Promise<IncomingRecord> {
  const bounds = (await readBounds(kafka, [topic])).find((found) => found.partition === partition);
  if (!bounds || offset < bounds.low || offset >= bounds.high) {
    throw new CannotCatchUp('Kafka does not hold that event (any more)');
  }
  const found: IncomingRecord[] = [];
  const range = { topic, partition, offset, end: offset + 1 };
  await readRanges(kafka, [range], (records) => void found.push(...records), readTimeoutMs);
  return found[0]!;
}

async function rangesBetween(
  kafka: KafkaOptions,
  from: Position,
  to: Position,
): Promise<{ readonly ranges: readonly PartitionRange[]; readonly lost: number }> {
  const bounds = await readBounds(kafka, streamedTopics);
  let lost = 0;
  const ranges = bounds.flatMap(({ topic, partition, low }) => {
    const end = to.next(topic, partition);
    if (end === undefined) return [];
    const start = from.next(topic, partition) ?? end;
    if (start < low) lost += Math.min(low, end) - start;
    return [{ topic, partition, offset: Math.max(start, low), end }];
  });
  return { ranges, lost };
}
