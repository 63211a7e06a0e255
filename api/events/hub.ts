import type { IncomingBatch, IncomingRecord } from '../../platform/kafka/batches.ts';
import type { PartitionOffset } from '../../platform/kafka/consumer.ts';
import { formatRecordId, Position, streamTypeOfTopic, type RecordId, type StreamType } from './position.ts';

const rememberedEvents = 20_000;
/** An event of ours has less than 10,000: a guest's that is larger would make every client too slow at once. */
const mostEventCharacters = 1024 * 1024;
const rememberedBytes = 32 * 1024 * 1024;
/**
 * Events wait for further events, and longer if there are many watchers: the writes to each watcher dominate the cost.
 */
const mostLingerMs = 50;
const watchersPerMs = 20;

/** A stretch of a partition: its records, and the offset after its end. */
export type StretchRead = Pick<IncomingBatch, 'topic' | 'partition' | 'records' | 'next'> &
  Partial<Pick<IncomingBatch, 'isRestarted'>>;

/** An event for the watchers, serialised once for all of them. */
export interface StreamEvent extends RecordId {
  readonly type: StreamType;
  /** The record's key: of listens and recommendations the user. */
  readonly key: string | null;
  readonly timestampMs: number;
  /** As server-sent events have it: id, event, data, blank line. */
  readonly block: string;
}

/**
 * Some events in order, and the position of a watcher after it has received them. The text is serialised once for all
 * watchers with the same filter.
 */
export class StreamPart {
  readonly events: readonly StreamEvent[];
  readonly #mark: string;
  readonly #written = new Map<string, Buffer | undefined>();

  constructor(events: readonly StreamEvent[], mark: string) {
    this.events = events;
    this.#mark = mark;
  }

  /** The events that pass the filter `name`, and the position. Undefined if no event passes. */
  write(name: string, isWanted: (event: StreamEvent) => boolean): Buffer | undefined {
    if (!this.#written.has(name)) this.#written.set(name, this.#writeOut(isWanted));
    return this.#written.get(name);
  }

  #writeOut(isWanted: (event: StreamEvent) => boolean): Buffer | undefined {
    const blocks = this.events.flatMap((event) => (isWanted(event) ? event.block : []));
    return blocks.length > 0 ? Buffer.from(blocks.join('') + this.#mark) : undefined;
  }
}

/** True if the event belongs to a user for whom the predicate is true. A step of the pipeline belongs to no user. */
export function isOfUser({ type, key }: StreamEvent, isUser: (userId: string) => boolean): boolean {
  return type !== 'pipeline' && key !== null && isUser(key);
}

/** Formats a record as an event of the stream. Undefined for a record that no watcher sees, or that is too large. */
export function toStreamEvent(record: IncomingRecord): StreamEvent | undefined {
  const type = streamTypeOfTopic[record.topic];
  if (!type || record.value === null || record.value.length > mostEventCharacters) return undefined;
  const { topic, partition, offset, key, timestampMs } = record;
  // Our JSON has no line breaks. A line break in a foreign record would end the data early.
  const data = record.value.replaceAll(/\r\n|\r|\n/g, '\ndata: ');
  const block = `id: ${formatRecordId(record)}\nevent: ${type}\ndata: ${data}\n\n`;
  return { topic, partition, offset, type, key, timestampMs, block };
}

/**
 * An id without data: an EventSource triggers no event for it, but sends it back when it reconnects. The id has the
 * position in every partition, which the id of a single record cannot have.
 */
export function markOf(position: Position): string {
  return `id: ${position.toString()}\n\n`;
}

/**
 * Passes Kafka's records to every watcher and remembers the last records for clients that return. All watchers see the
 * same events in the same order. The hub neither passes on nor remembers events of a forgotten user.
 */
export class EventHub {
  readonly #isForgotten: (userId: string) => boolean;
  readonly #watchers = new Set<(part: StreamPart) => void>();
  /** The remembered events, oldest first. The first `#gone` entries of the array are forgotten events. */
  #recent: StreamEvent[] = [];
  #gone = 0;
  #bytes = 0;
  readonly #oldest = new Position();
  /** Up to where the watchers have been told, and up to where records have been taken. */
  readonly #read = new Position();
  readonly #seen = new Position();
  /**
   * The end of each partition when this process started. Earlier records are history: the hub remembers them and does
   * not announce them.
   */
  #news = new Position();
  #waiting: StreamEvent[] = [];
  #flushing: NodeJS.Timeout | undefined;
  #catchingUp = new Set<string>();
  #isStarted = false;
  readonly #started: Promise<void>;
  #resolveStarted = (): void => undefined;

  /** The hub does not pass on the events of a user for whom `isForgotten` is true. */
  constructor(isForgotten: (userId: string) => boolean = () => false) {
    this.#isForgotten = isForgotten;
    this.#started = new Promise((resolve) => {
      this.#resolveStarted = resolve;
    });
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** Resolves once everything that lay in Kafka before this process began is remembered as far as it is going to be. */
  get caughtUp(): Promise<void> {
    return this.#started;
  }

  /** Up to where the watchers have been told. */
  get position(): Position {
    return this.#read.copy();
  }

  /** Told once, before the first record: where reading begins in each partition, and where news begin. */
  begin(starts: readonly PartitionOffset[], news: readonly PartitionOffset[]): void {
    for (const { topic, partition, offset } of starts) {
      this.#oldest.set(topic, partition, offset);
      this.#read.set(topic, partition, offset);
      this.#seen.set(topic, partition, offset);
    }
    this.#news = new Position();
    for (const { topic, partition, offset } of news) {
      this.#news.set(topic, partition, offset);
      if (offset > (this.#read.next(topic, partition) ?? 0)) this.#catchingUp.add(`${topic}-${partition}`);
    }
    this.#checkStarted();
  }

  /** Receives a stretch of a partition, in order, and skips records that it has received before. */
  accept(batch: StretchRead): void {
    const { topic, partition, records, next } = batch;
    if (batch.isRestarted) this.#startOver(topic, partition, records[0]?.offset ?? next);
    for (const record of records) this.#take(record);
    if (next > (this.#seen.next(topic, partition) ?? Infinity)) this.#seen.set(topic, partition, next);
    // Markers and invisible records advance the position together with the events before them, or at once if there are
    // none.
    if (this.#waiting.length === 0) this.#advance();
    this.#noteReached(batch);
    if (this.#waiting.length > 0) this.#flushing ??= setTimeout(() => this.flush(), this.#lingerMs());
  }

  /** Sends the waiting events to the watchers at once. */
  flush(): void {
    clearTimeout(this.#flushing);
    this.#flushing = undefined;
    const events = this.#waiting;
    this.#waiting = [];
    if (events.length === 0) return;
    const told = events.filter((event) => this.#remember(event));
    // Those that were dropped have been read too: a client of another process may have been told of them.
    const part = new StreamPart(told, markOf(this.#advance()));
    for (const tell of this.#watchers) tell(part);
  }

  /**
   * The remembered events after a position, up to where the watchers have been told; undefined when some of them are no longer
   * remembered.
   */
  since(position: Position): readonly StreamEvent[] | undefined {
    const isRemembered = this.#oldest
      .entries()
      .every(({ topic, partition, offset }) => (position.next(topic, partition) ?? offset) >= offset);
    if (!isRemembered) return undefined;
    return this.#remembered().filter((event) => event.offset >= (position.next(event.topic, event.partition) ?? 0));
  }

  /**
   * The position of a watcher whose last event was this event. Undefined if a different process sent the event: this
   * process does not know the order of partitions in that process.
   */
  positionAfter(id: RecordId): Position | undefined {
    if (!this.#isNews(id)) return undefined;
    const remembered = this.#remembered();
    const at = remembered.findIndex(
      ({ topic, partition, offset }) => topic === id.topic && partition === id.partition && offset === id.offset,
    );
    if (at === -1) return undefined;
    const position = this.#oldest.copy();
    for (const { topic, partition, offset } of remembered.slice(0, at + 1)) position.set(topic, partition, offset + 1);
    return position;
  }

  /** Calls `tell` for everything from now on; answers how to stop. */
  watch(tell: (part: StreamPart) => void): () => void {
    this.#watchers.add(tell);
    return () => this.#watchers.delete(tell);
  }

  /** Drops the remembered events of all users for whom the predicate is true. */
  forgetWhere(isForgotten: (userId: string) => boolean): void {
    this.#recent = this.#remembered().filter((event) => !isOfUser(event, isForgotten));
    this.#gone = 0;
    this.#bytes = this.#recent.reduce((sum, { block }) => sum + block.length, 0);
  }

  #take(record: IncomingRecord): void {
    const { topic, partition, offset } = record;
    const next = this.#seen.next(topic, partition);
    if (next === undefined || offset < next) return;
    this.#seen.set(topic, partition, offset + 1);
    const event = toStreamEvent(record);
    if (!event) return;
    this.#waiting.push(event);
    if (!this.#isNews(event)) this.#keepToItself();
  }

  #isNews({ topic, partition, offset }: RecordId): boolean {
    return offset >= (this.#news.next(topic, partition) ?? 0);
  }

  /** Remember history for clients that return, and announce nothing. */
  #keepToItself(): void {
    const history = this.#waiting.pop()!;
    this.flush();
    this.#remember(history);
    this.#advance();
  }

  /** No event waits any more: the watchers have received everything that the hub has read. */
  #advance(): Position {
    for (const { topic, partition, offset } of this.#seen.entries()) this.#read.set(topic, partition, offset);
    return this.#read;
  }

  /** A topic that was created again: its remembered records no longer exist, and all of its new records are news. */
  #startOver(topic: string, partition: number, offset: number): void {
    if (this.#seen.next(topic, partition) === undefined) return;
    this.flush();
    this.#recent = this.#remembered().filter((event) => event.topic !== topic || event.partition !== partition);
    this.#gone = 0;
    this.#bytes = this.#recent.reduce((sum, { block }) => sum + block.length, 0);
    for (const position of [this.#oldest, this.#read, this.#seen, this.#news]) position.set(topic, partition, offset);
  }

  /** Returns true if the hub remembers the event. The hub does not remember events of a forgotten user. */
  #remember(event: StreamEvent): boolean {
    if (isOfUser(event, this.#isForgotten)) return false;
    this.#recent.push(event);
    this.#bytes += event.block.length;
    while (this.#recent.length - this.#gone > rememberedEvents || this.#bytes > rememberedBytes) this.#forgetOldest();
    // Moved only now and then: each time would cost as much as all that is remembered.
    if (this.#gone >= rememberedEvents) {
      this.#recent = this.#recent.slice(this.#gone);
      this.#gone = 0;
    }
    return true;
  }

  #forgetOldest(): void {
    const { topic, partition, offset, block } = this.#recent[this.#gone++]!;
    this.#bytes -= block.length;
    this.#oldest.set(topic, partition, offset + 1);
  }

  #remembered(): readonly StreamEvent[] {
    return this.#recent.slice(this.#gone);
  }

  #noteReached({ topic, partition, next }: StretchRead): void {
    if (this.#isStarted || next < (this.#news.next(topic, partition) ?? 0)) return;
    this.#catchingUp.delete(`${topic}-${partition}`);
    this.#checkStarted();
  }

  #checkStarted(): void {
    if (this.#catchingUp.size > 0) return;
    this.#isStarted = true;
    this.#resolveStarted();
  }

  #lingerMs(): number {
    return Math.min(mostLingerMs, Math.ceil(this.#watchers.size / watchersPerMs));
  }
}
