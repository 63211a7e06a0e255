import { randomUUID } from 'node:crypto';
import type { Consumer } from 'kafkajs';
import { runBatches, toRecord, type IncomingBatch, type RawBatch } from './batches.ts';
import { createKafka, type KafkaOptions } from './client.ts';
import { readBounds } from './offsets.ts';

/** The position in a partition: the offset of the next record. */
export interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Receives the stretches of a partition in order. If the handler throws, it receives the same stretch again. */
export type BatchHandler = (batch: IncomingBatch) => void | Promise<void>;

/** A reader of Kafka that runs. */
export interface KafkaReader {
  /** Why it does not read at the moment though Kafka answers; undefined while all is well. */
  readonly problem: string | undefined;
  close(): Promise<void>;
}

/** The reports of a reader about itself. */
export interface ReaderOptions {
  /** Called whenever a consumer has ended, before another takes its place. */
  readonly onEnd?: () => void;
  /** How long a consumer may be silent until Kafka is asked whether it answers, in milliseconds. */
  readonly silentMs?: number;
}

/** While Kafka is away the reader waits for it, for as long as it takes. */
const consumerRetry = { initialRetryTime: 200, maxRetryTime: 1_000, retries: 1_000_000 };
const firstPauseMs = 1_000;
const longestPauseMs = 30_000;
/** A consumer that has read for so long after an end has taken its place. */
const provenMs = 2_000;
/** After reading for this long, a failure counts as a new failure. */
const stableMs = 60_000;
const silentMs = 15_000;

/**
 * Reads partitions from the given offsets until the caller closes it, in a consumer group of its own that leaves
 * nothing behind in Kafka. After a lost connection it continues at its position. If a consumer ends, or falls silent
 * while Kafka answers, a new consumer replaces it and continues at the same position: no record is lost or delivered
 * twice. The reader logs unreadable records and skips them.
 */
export async function consumeFrom(
  options: KafkaOptions,
  start: readonly PartitionOffset[],
  handler: BatchHandler,
  more: ReaderOptions = {},
): Promise<KafkaReader> {
  const reader = new Reader(options, start, handler, more);
  await reader.start();
  return reader;
}

class Reader implements KafkaReader {
  readonly #options: KafkaOptions;
  readonly #more: ReaderOptions;
  readonly #topics: string[];
  readonly #handler: BatchHandler;
  readonly #next: Map<string, { readonly topic: string; readonly partition: number; offset: number }>;
  #consumer: Consumer | undefined;
  #isClosed = false;
  #problem: string | undefined;
  #endsInARow = 0;
  /** Since when the present consumer reads without a break; undefined before its first answer. */
  #readingSince: number | undefined;
  #lastSignAt = performance.now();
  #watch: NodeJS.Timeout | undefined;

  constructor(options: KafkaOptions, start: readonly PartitionOffset[], handler: BatchHandler, more: ReaderOptions) {
    this.#options = options;
    this.#more = more;
    this.#handler = handler;
    this.#next = new Map(start.map((position) => [nameOf(position), { ...position }]));
    this.#topics = [...new Set(start.map(({ topic }) => topic))];
  }

  get problem(): string | undefined {
    const since = this.#readingSince;
    return since !== undefined && performance.now() - since > provenMs ? undefined : this.#problem;
  }

  async start(): Promise<void> {
    await this.#connect();
    const everyMs = (this.#more.silentMs ?? silentMs) / 3;
    this.#watch = setInterval(() => void this.#lookForSilence(), everyMs).unref();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#watch);
    await this.#consumer?.disconnect();
  }

  async #connect(): Promise<void> {
    const consumer = createKafka(this.#options, consumerRetry).consumer({
      groupId: `${this.#options.clientId}-${randomUUID()}`,
      maxWaitTimeInMs: 100,
    });
    this.#consumer = consumer;
    this.#readingSince = undefined;
    this.#lastSignAt = performance.now();
    // The group commits no offsets: each consumer that joins starts at the given positions.
    consumer.on(consumer.events.GROUP_JOIN, () => this.#seek(consumer));
    consumer.on(consumer.events.FETCH, () => this.#noteSign(consumer));
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (payload.restart) this.#noteProblem(payload.error);
      else this.#end(consumer, payload.error);
    });
    try {
      await consumer.connect();
      // If the topic was created again, the position is out of its range: start at its first record.
      await consumer.subscribe({ topics: this.#topics, fromBeginning: true });
      await runBatches(
        consumer,
        (batch) => this.#take(consumer, batch),
        (error) => this.#end(consumer, error),
      );
    } catch (error) {
      this.#consumer = undefined;
      await consumer.disconnect();
      throw error;
    }
  }

  #seek(consumer: Consumer): void {
    for (const { topic, partition, offset } of this.#next.values()) {
      consumer.seek({ topic, partition, offset: String(offset) });
    }
  }

  #noteSign(consumer: Consumer): void {
    if (consumer !== this.#consumer) return;
    const now = performance.now();
    this.#lastSignAt = now;
    this.#readingSince ??= now;
    if (now - this.#readingSince > stableMs) this.#endsInARow = 0;
  }

  #noteProblem(error: Error): void {
    this.#problem = error.message;
    this.#readingSince = undefined;
  }

  /** A replaced consumer delivers nothing more. The new consumer reads the pending records again. */
  async #take(consumer: Consumer, batch: RawBatch): Promise<void> {
    const position = this.#next.get(nameOf(batch));
    if (consumer !== this.#consumer || position === undefined) return;
    const first = batch.messages[0];
    const isRestarted = (first ? Number(first.offset) : batch.next) < position.offset;
    if (isRestarted) this.#noteRestart(batch, position.offset);
    for (const unreadable of batch.unreadable) this.#report(batch, unreadable);
    const { topic, partition, next, unreadable } = batch;
    const records = batch.messages.map((message) => toRecord(topic, partition, message));
    await this.#handler({ topic, partition, records, next, unreadable, isRestarted });
    position.offset = next;
  }

  #noteRestart({ topic, partition }: RawBatch, before: number): void {
    this.#options.logger.error(
      { topic, partition, before },
      'the topic was made anew: its offsets begin again, and it is read from its first record',
    );
  }

  #report({ topic, partition }: RawBatch, { first, last, reason }: RawBatch['unreadable'][number]): void {
    this.#options.logger.error(
      { topic, partition, firstOffset: first, lastOffset: last, codec: reason },
      `${topic}, partition ${partition}, offsets ${first} to ${last}: a batch in ${reason} cannot be read here and is left out; ` +
        'see docs/runbooks/streams.md, "A batch that the API cannot read"',
    );
  }

  #end(consumer: Consumer, error: Error): void {
    if (this.#isClosed || consumer !== this.#consumer) return;
    this.#consumer = undefined;
    this.#noteProblem(error);
    this.#more.onEnd?.();
    const pauseMs = Math.min(firstPauseMs * 2 ** this.#endsInARow++, longestPauseMs);
    this.#options.logger.error({ err: error, pauseMs }, 'the reader of Kafka has ended; another takes its place');
    // It has ended: that its connection cannot be closed either changes nothing.
    consumer.disconnect().catch(() => undefined);
    setTimeout(() => void this.#replace(), pauseMs).unref();
  }

  async #replace(): Promise<void> {
    if (this.#isClosed) return;
    try {
      await this.#connect();
      if (this.#isClosed) await this.#consumer?.disconnect();
    } catch (error) {
      this.#problem = (error as Error).message;
      this.#options.logger.warn({ err: error }, 'Kafka cannot be read; trying again');
      setTimeout(() => void this.#replace(), firstPauseMs).unref();
    }
  }

  /** A consumer that sends no request while Kafka answers other clients has ended silently. */
  async #lookForSilence(): Promise<void> {
    const consumer = this.#consumer;
    const allowedMs = this.#more.silentMs ?? silentMs;
    if (!consumer || performance.now() - this.#lastSignAt < allowedMs) return;
    try {
      await readBounds(this.#options, this.#topics);
    } catch {
      // Kafka is away. The consumer and all other clients wait for it.
      return;
    }
    if (performance.now() - this.#lastSignAt < allowedMs) return;
    this.#end(consumer, new Error(`it has asked Kafka for nothing in ${allowedMs} ms, though Kafka answers`));
  }
}

/** A partition's name, as a key. */
export function nameOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic}-${partition}`;
}
