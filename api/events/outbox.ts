import type { OutgoingEvent } from '../../platform/kafka.ts';
import type { Logger } from '../../platform/logger.ts';
import type { ProducerLink } from './producer-link.ts';

const batchSize = 500;
const lingerMs = 20;
const retryMs = 1_000;
const sendTimeoutMs = 10_000;

/** Counts what became of events; a dropped event is never silent. */
export interface OutboxCounters {
  readonly sent: (events: number) => void;
  readonly dropped: (events: number) => void;
}

/**
 * Sends events some moment later, in batches, so that an answer never waits for Kafka. Holds at most `limit` events in
 * memory; past that, new ones are dropped and counted. A batch that fails is sent again.
 */
export class Outbox {
  readonly #link: ProducerLink;
  readonly #topic: string;
  readonly #limit: number;
  readonly #counters: OutboxCounters;
  readonly #logger: Logger;
  #waiting: OutgoingEvent[] = [];
  #sending: Promise<void> | undefined;
  #isClosing = false;

  constructor(options: { link: ProducerLink; topic: string; limit: number; counters: OutboxCounters; logger: Logger }) {
    this.#link = options.link;
    this.#topic = options.topic;
    this.#limit = options.limit;
    this.#counters = options.counters;
    this.#logger = options.logger;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Takes an event and answers at once. */
  add(event: OutgoingEvent): void {
    if (this.#waiting.length >= this.#limit) {
      this.#counters.dropped(1);
      return;
    }
    this.#waiting.push(event);
    this.#sending ??= this.#drain().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Sends what waits, as far as the time allows; what is left is dropped and counted. */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosing = true;
    const timer = new Promise<void>((resolve) => setTimeout(resolve, timeoutMs).unref());
    await Promise.race([this.#sending ?? Promise.resolve(), timer]);
    if (this.#waiting.length === 0) return;
    this.#counters.dropped(this.#waiting.length);
    this.#logger.error({ events: this.#waiting.length, topic: this.#topic }, 'events were dropped at shutdown');
  }

  async #drain(): Promise<void> {
    await pause(lingerMs);
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, batchSize);
      try {
        await this.#link.send(this.#topic, batch, sendTimeoutMs);
        this.#waiting = this.#waiting.slice(batch.length);
        this.#counters.sent(batch.length);
      } catch (error) {
        this.#logger.warn({ err: error, waiting: this.#waiting.length }, 'events wait for Kafka');
        if (this.#isClosing) return;
        await pause(retryMs);
      }
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
