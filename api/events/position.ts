import { topicNames } from '../../contracts/topics.ts';

/** The topics that watchers see, with the name for watchers. */
export const streamTypeOfTopic: Readonly<Record<string, StreamType>> = {
  [topicNames.listens]: 'listen',
  [topicNames.recommendations]: 'recommendation',
  [topicNames.pipeline]: 'pipeline',
};

/** The kinds of event a client can watch. */
export const streamTypes = ['listen', 'recommendation', 'pipeline'] as const;
export type StreamType = (typeof streamTypes)[number];

/** The position of a reader: the offset of the next record, by partition. */
export class Position {
  readonly #next = new Map<string, Map<number, number>>();

  /** The offset of the next record of a partition. Undefined if the position does not include the partition. */
  next(topic: string, partition: number): number | undefined {
    return this.#next.get(topic)?.get(partition);
  }

  set(topic: string, partition: number, offset: number): void {
    const partitions = this.#next.get(topic) ?? new Map<number, number>();
    partitions.set(partition, offset);
    this.#next.set(topic, partitions);
  }

  entries(): { readonly topic: string; readonly partition: number; readonly offset: number }[] {
    return [...this.#next].flatMap(([topic, partitions]) =>
      [...partitions].map(([partition, offset]) => ({ topic, partition, offset })),
    );
  }

  copy(): Position {
    const copy = new Position();
    for (const { topic, partition, offset } of this.entries()) copy.set(topic, partition, offset);
    return copy;
  }

  /** As an id of the stream: `@topic=0:12,1:7;other=0:3`. */
  toString(): string {
    const topics = [...this.#next].map(
      ([topic, partitions]) =>
        `${topic}=${[...partitions].map(([partition, offset]) => `${partition}:${offset}`).join(',')}`,
    );
    return `@${topics.join(';')}`;
  }
}

/** A record in the form of an event id of the stream: `topic-partition-offset`. */
export interface RecordId {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/**
 * The meaning of a Last-Event-ID: a position in every partition, or a single record. Undefined if the text is neither.
 */
export function parseEventId(id: string): Position | RecordId | undefined {
  return id.startsWith('@') ? parsePosition(id) : parseRecordId(id);
}

export function formatRecordId({ topic, partition, offset }: RecordId): string {
  return `${topic}-${partition}-${offset}`;
}

function parseRecordId(id: string): RecordId | undefined {
  const [, topic = '', partition, offset] = /^([\w.]+)-(\d{1,6})-(\d{1,15})$/.exec(id) ?? [];
  return Object.hasOwn(streamTypeOfTopic, topic)
    ? { topic, partition: Number(partition), offset: Number(offset) }
    : undefined;
}

function parsePosition(id: string): Position | undefined {
  const position = new Position();
  for (const part of id.slice(1).split(';')) {
    const [, topic = '', offsets = ''] = /^([\w.]+)=([\d:,]+)$/.exec(part) ?? [];
    if (!Object.hasOwn(streamTypeOfTopic, topic)) return undefined;
    for (const entry of offsets.split(',')) {
      const [, partition, offset] = /^(\d{1,6}):(\d{1,15})$/.exec(entry) ?? [];
      if (partition === undefined) return undefined;
      position.set(topic, Number(partition), Number(offset));
    }
  }
  return position;
}
