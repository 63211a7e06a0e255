import pLimit from 'p-limit';
import { topicNames } from '../../contracts/topics.ts';
import { readRanges, type PartitionRange } from '../../platform/kafka/ranges.ts';
import type { IncomingBatch, IncomingRecord } from '../../platform/kafka/batches.ts';
import { offsetsAt, readBounds, type PartitionBounds } from '../../platform/kafka/offsets.ts';
import type { KafkaOptions } from '../../platform/kafka/client.ts';
import { isOfUser, toStreamEvent, type StreamEvent } from './hub.ts';
import { Position, type RecordId } from './position.ts';

const streamedTopics = [topicNames.listens, topicNames.recommendations, topicNames.pipeline];
/**
 * The most records that the API reads again for a client. A client that missed more receives a message about the gap.
 */
const mostRecords = 100_000;
/** Read at once, and held until the client has taken it: no more than may wait for any client. */
const pieceRecords = 10_000;
const pieceCharacters = 4 * 1024 * 1024;
const readTimeoutMs = 30_000;
const mostReaders = 2;
const mostQueued = 50;
/** How far apart two partitions may have been told: more is read twice rather than less than once. */
const slackMs = 10_000;

/** Why a client cannot have all that it missed, in words for it. */
export class CannotCatchUp extends Error {
  override readonly name = 'CannotCatchUp';
}

/** Reads records from Kafka that this process does not remember. */
export interface CatchUp {
  /**
   * The position of a client that knows only its last record: exact in the record's partition, and early enough in the
   * remaining partitions. Throws CannotCatchUp if Kafka no longer holds the record.
   */
  positionAfter(id: RecordId): Promise<Position>;
  /**
   * Delivers the records between two positions, in order by partition, in pieces and as fast as the client takes them.
   * Returns the number of records that Kafka no longer holds. Throws CannotCatchUp if there are too many records.
   */
  read(from: Position, to: Position, take: (events: readonly StreamEvent[]) => Promise<void>): Promise<number>;
}

/** How Kafka is read; a test has its own. */
const kafkaReader = { readRanges, readBounds, offsetsAt };
export type KafkaReader = typeof kafkaReader;

/**
 * A reader of its own for each, two at a time: so that a thousand clients that return at once do not become a thousand readers.
 * A client that takes its time holds none of them. Events of a forgotten user are left out.
 */
export function createCatchUp(
  kafka: KafkaOptions,
  isForgotten: (userId: string) => boolean = () => false,
  reader: KafkaReader = kafkaReader,
): CatchUp {
  const limit = pLimit(mostReaders);

  async function takeTurn<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    return limit(async () => {
      try {
        return await work();
      } catch (cause) {
        if (cause instanceof CannotCatchUp) throw cause;
        throw new CannotCatchUp('Kafka cannot be read now', { cause });
      }
    });
  }

  /** Limits new catch-ups only: a running catch-up continues. */
  function refuseCrowds(): void {
    if (limit.pendingCount >= mostQueued) throw new CannotCatchUp('too many clients are catching up; come back later');
  }

  return {
    positionAfter: async (id) => {
      refuseCrowds();
      return takeTurn(async () => {
        const record = await readOne(kafka, reader, id);
        const position = new Position();
        const since = await reader.offsetsAt(kafka, streamedTopics, record.timestampMs - slackMs);
        for (const { topic, partition, offset } of since) position.set(topic, partition, offset);
        position.set(id.topic, id.partition, id.offset + 1);
        return position;
      });
    },
    read: async (from, to, take) => {
      refuseCrowds();
      let lost = 0;
      let position = from;
      for (;;) {
        const piece = await takeTurn(() => readPiece(kafka, reader, position, to));
        await take(piece.events.filter((event) => !isOfUser(event, isForgotten)));
        lost += piece.lost;
        if (piece.isLast) return lost;
        position = piece.end;
      }
    },
  };
}

async function readOne(
  kafka: KafkaOptions,
  reader: KafkaReader,
  { topic, partition, offset }: RecordId,
): Promise<IncomingRecord> {
  const bounds = (await reader.readBounds(kafka, [topic])).find((found) => found.partition === partition);
  if (!bounds || offset < bounds.low || offset >= bounds.high) {
    throw new CannotCatchUp('Kafka does not hold that event (any more)');
  }
  const found: IncomingRecord[] = [];
  const range = { topic, partition, offset, end: offset + 1 };
  await reader.readRanges(kafka, [range], ({ records }) => void found.push(...records), readTimeoutMs);
  if (!found[0]) throw new CannotCatchUp('no event lies where that id says: were the topics made anew?');
  return found[0];
}

/** A part of the records between two positions. */
interface Piece {
  readonly events: readonly StreamEvent[];
  /** Where the next piece begins. */
  readonly end: Position;
  readonly isLast: boolean;
  /** How many records Kafka no longer held where the piece begins, or cannot be read by this process. */
  readonly lost: number;
}

async function readPiece(kafka: KafkaOptions, reader: KafkaReader, from: Position, to: Position): Promise<Piece> {
  const { ranges, lost } = rangesBetween(await reader.readBounds(kafka, streamedTopics), from, to);
  const total = ranges.reduce((sum, { offset, end }) => sum + end - offset, 0);
  if (total > mostRecords)
    throw new CannotCatchUp(`${total} events were missed; at most ${mostRecords} are read again`);
  const wanted = firstOf(ranges);
  const events: StreamEvent[] = [];
  const end = new Position();
  for (const { topic, partition, offset } of wanted) end.set(topic, partition, offset);
  let characters = 0;
  let unreadable = 0;
  const collect = (batch: IncomingBatch): void => {
    for (const record of batch.records) {
      // The next piece reads the records that do not fit.
      if (characters >= pieceCharacters) return;
      characters += record.value?.length ?? 0;
      const event = toStreamEvent(record);
      if (event) events.push(event);
      end.set(record.topic, record.partition, record.offset + 1);
    }
    if (characters >= pieceCharacters) return;
    unreadable += batch.unreadable.reduce((sum, { first, last }) => sum + last + 1 - first, 0);
    // The last offsets of a stretch may be a transaction's marker or aborted records.
    end.set(batch.topic, batch.partition, batch.next);
  };
  await reader.readRanges(kafka, wanted, collect, readTimeoutMs);
  const isLast = ranges.every((range) => end.next(range.topic, range.partition) === range.end);
  return { events, end, isLast, lost: lost + unreadable };
}

/** The beginning of each range, about as many records together as a piece may have. */
function firstOf(ranges: readonly PartitionRange[]): readonly PartitionRange[] {
  const open = ranges.filter(({ offset, end }) => offset < end).length;
  const share = Math.ceil(pieceRecords / Math.max(1, open));
  return ranges.map((range) => ({ ...range, end: Math.min(range.end, range.offset + share) }));
}

/** The records to read of each partition, and the number of records that Kafka no longer holds. */
function rangesBetween(
  bounds: readonly PartitionBounds[],
  from: Position,
  to: Position,
): { readonly ranges: readonly PartitionRange[]; readonly lost: number } {
  let lost = 0;
  const ranges = bounds.flatMap(({ topic, partition, low }) => {
    const end = to.next(topic, partition);
    if (end === undefined) return [];
    const start = Math.min(end, from.next(topic, partition) ?? end);
    const offset = Math.min(end, Math.max(start, low));
    lost += offset - start;
    return [{ topic, partition, offset, end }];
  });
  return { ranges, lost };
}
