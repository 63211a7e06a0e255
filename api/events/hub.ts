import type { IncomingRecord } from '../../platform/kafka-consumer.ts';
import { topicNames } from '../../contracts/topics.ts';

/** The kinds of event a client can watch. */
export const streamTypes = ['listen', 'recommendation', 'pipeline'] as const;
export type StreamType = (typeof streamTypes)[number];

const typeOfTopic: Readonly<Record<string, StreamType>> = {
  [topicNames.listens]: 'listen',
  [topicNames.recommendations]: 'recommendation',
  [topicNames.pipeline]: 'pipeline',
};

/** One event on its way to those who watch; the id says where it lies in Kafka. */
export interface StreamEvent {
  readonly id: string;
  readonly type: StreamType;
  readonly data: string;
}

const remembered = 1_000;

/** Passes Kafka's records on to every watcher, and remembers the last ones for who comes back. */
export class EventHub {
  readonly #watchers = new Set<(event: StreamEvent) => void>();
  readonly #recent: StreamEvent[] = [];

  get watchers(): number {
    return this.#watchers.size;
  }

  /** Takes one record of a topic. */
  accept(record: IncomingRecord): void {
    const type = typeOfTopic[record.topic];
    if (!type || record.value === null) return;
    const event = { id: `${record.topic}-${record.partition}-${record.offset}`, type, data: record.value };
    this.#recent.push(event);
    if (this.#recent.length > remembered) this.#recent.shift();
    for (const tell of this.#watchers) tell(event);
  }

  /** The remembered events after this id, or undefined when the id is not remembered. */
  since(id: string): readonly StreamEvent[] | undefined {
    const at = this.#recent.findIndex((event) => event.id === id);
    return at === -1 ? undefined : this.#recent.slice(at + 1);
  }

  /** Calls `tell` for every event from now on; answers how to stop. */
  watch(tell: (event: StreamEvent) => void): () => void {
    this.#watchers.add(tell);
    return () => this.#watchers.delete(tell);
  }
}
