import type { OutgoingEvent } from '../../platform/kafka/producer.ts';
import type { Logger } from '../../platform/logger.ts';
import type { ProducerLink } from './producer-link.ts';
import type { Spool } from './spool.ts';

const batchSize = 500;
const lingerMs = 20;
const retryMs = 500;
/** After this time a batch on its way means that Kafka is away, and waiting events go to disk. */
const awayMs = 500;
const spillEveryMs = 100;
const diskRetryMs = 1_000;
/** Drops are logged at most this often, each time with how many there were. */
const alertEveryMs = 10_000;

/** Receives the fate of events. A dropped event is always reported. */
export interface OutboxCounters {
  readonly sent: (events: number) => void;
  readonly dropped: (events: number) => void;
  /** How much waits now, and where. */
  readonly waiting?: (waiting: {
    readonly inMemory: number;
    readonly onDisk: number;
    readonly diskBytes: number;
  }) => void;
}

/** The dependencies of an outbox. */
export interface OutboxOptions {
  readonly link: Pick<ProducerLink, 'deliver'>;
  readonly topic: string;
  /** Events that may wait in memory. */
  readonly limit: number;
  readonly spool: Spool;
  readonly counters: OutboxCounters;
  readonly logger: Logger;
}

/** Events that are being sent; `sequence` is theirs on disk, once they are there too. */
interface Batch {
  readonly events: readonly OutgoingEvent[];
  readonly startedAt: number;
  sequence: number | undefined;
}

/**
 * Sends events a moment later, in batches and in order, so that an answer never waits for Kafka. While Kafka is away
 * the events go to disk. When Kafka is back, this process or the next process sends them. If the disk is full or
 * refuses a write, memory holds further events up to a limit. Beyond this limit the outbox drops new events, and counts
 * and logs them.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  #waiting: OutgoingEvent[] = [];
  #batch: Batch | undefined;
  #draining: Promise<void> | undefined;
  #spilling: Promise<void> | undefined;
  readonly #spillTimer: NodeJS.Timeout;
  readonly #closing = new AbortController();
  #unreported = 0;
  #reportedAt = -Infinity;
  /** A disk that failed is left alone until then. */
  #diskRetryAt = -Infinity;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#spillTimer = setInterval(() => this.#spillIfAway(), spillEveryMs);
    this.#spillTimer.unref();
    this.#wake();
  }

  /** Events in memory alone. */
  get waiting(): number {
    const underWay = this.#batch && this.#batch.sequence === undefined ? this.#batch.events.length : 0;
    return this.#waiting.length + underWay;
  }

  /** Takes an event and answers at once. */
  add(event: OutgoingEvent): void {
    if (this.#waiting.length >= this.#options.limit) {
      this.#drop(1);
      return;
    }
    this.#waiting.push(event);
    this.#wake();
  }

  /** Sends the waiting events while the time allows. The remaining events go to disk for the next process. */
  async close(timeoutMs: number): Promise<void> {
    const { spool, logger, topic } = this.#options;
    clearInterval(this.#spillTimer);
    await Promise.race([this.#draining ?? Promise.resolve(), pause(timeoutMs)]);
    this.#closing.abort();
    await this.#spilling;
    await this.#spill();
    this.#drop(this.waiting);
    this.#report(true);
    if (!spool.isEmpty) logger.warn({ events: spool.events, topic }, 'events wait on disk for the next start');
    await spool.close();
  }

  #wake(): void {
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined;
    });
  }

  async #drain(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      // A batch that could not be sent stays the first until it is.
      this.#batch ??= await this.#nextBatch();
      if (!this.#batch) return;
      try {
        if (this.#batch.events.length > 0) await this.#options.link.deliver(this.#options.topic, this.#batch.events);
        await this.#forget(this.#batch);
      } catch (error) {
        this.#options.logger.warn({ err: error, waiting: this.waiting }, 'events wait for Kafka');
        await pause(retryMs);
      }
    }
  }

  /** Events on disk are older than events in memory. */
  async #nextBatch(): Promise<Batch | undefined> {
    if (this.#waiting.length < batchSize && this.#options.spool.isEmpty) await pause(lingerMs);
    for (;;) {
      const spooled = await this.#oldestSpooled();
      if (spooled) return spooled;
      await this.#spilling;
      if (this.#options.spool.isEmpty || this.#isDiskAway) break;
    }
    const events = this.#waiting.splice(0, batchSize);
    return events.length > 0 ? { events, startedAt: performance.now(), sequence: undefined } : undefined;
  }

  async #oldestSpooled(): Promise<Batch | undefined> {
    if (this.#isDiskAway) return undefined;
    try {
      const oldest = await this.#options.spool.oldest();
      if (!oldest) return undefined;
      if (oldest.tornLines > 0) this.#drop(oldest.tornLines);
      return { events: oldest.events, startedAt: performance.now(), sequence: oldest.sequence };
    } catch (error) {
      this.#leaveDisk(error);
      return undefined;
    }
  }

  async #forget(batch: Batch): Promise<void> {
    await this.#spilling;
    this.#batch = undefined;
    this.#options.counters.sent(batch.events.length);
    if (batch.sequence === undefined) return;
    try {
      await this.#options.spool.remove(batch.sequence);
    } catch (error) {
      // It is sent again with the same event ids, which is harmless.
      this.#leaveDisk(error);
    }
  }

  get #isDiskAway(): boolean {
    return performance.now() < this.#diskRetryAt;
  }

  #spillIfAway(): void {
    const { spool, limit, counters } = this.#options;
    counters.waiting?.({ inMemory: this.waiting, onDisk: spool.events, diskBytes: spool.sizeBytes });
    this.#report();
    const isAway = this.#batch !== undefined && performance.now() - this.#batch.startedAt > awayMs;
    const isHalfFull = this.#waiting.length > limit / 2;
    if ((isAway || isHalfFull) && this.waiting > 0 && !this.#isDiskAway) void this.#spill();
  }

  #spill(): Promise<void> {
    this.#spilling ??= this.#writeToDisk().finally(() => {
      this.#spilling = undefined;
    });
    return this.#spilling;
  }

  /** First the batch on its way, then the events behind it. Events that the disk refuses stay in memory. */
  async #writeToDisk(): Promise<void> {
    const { spool } = this.#options;
    try {
      await spool.open();
      const batch = this.#batch;
      if (batch && batch.sequence === undefined) {
        batch.sequence = await spool.appendSegment(batch.events);
        if (batch.sequence === undefined) return;
      }
      const events = [...this.#waiting];
      const taken = await spool.append(events);
      this.#waiting.splice(0, taken);
    } catch (error) {
      this.#leaveDisk(error);
    }
  }

  #leaveDisk(error: unknown): void {
    this.#diskRetryAt = performance.now() + diskRetryMs;
    this.#options.logger.error({ err: error, waiting: this.waiting }, 'the disk fails; memory holds waiting events');
  }

  #drop(events: number): void {
    if (events === 0) return;
    this.#options.counters.dropped(events);
    this.#unreported += events;
  }

  #report(isLast = false): void {
    const isDue = isLast || performance.now() - this.#reportedAt >= alertEveryMs;
    if (this.#unreported === 0 || !isDue) return;
    this.#options.logger.error(
      { events: this.#unreported, topic: this.#options.topic },
      'events were dropped: Kafka is away, and neither disk nor memory has room',
    );
    this.#unreported = 0;
    this.#reportedAt = performance.now();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
