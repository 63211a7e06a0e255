import { setTimeout as sleep } from 'node:timers/promises';
import type { EventProducer, OutgoingEvent } from '../../platform/kafka/producer.ts';
import type { Logger } from '../../platform/logger.ts';

/** A producer that may be away: the API starts and answers without Kafka, and connects when Kafka is there. */
export interface ProducerLink {
  /** True if Kafka accepts events, judged by the last events. */
  readonly isConnected: boolean;
  /** Resolves when Kafka has all events; rejects when it has not said so within the time given. */
  send(topic: string, events: readonly OutgoingEvent[], timeoutMs: number): Promise<void>;
  /** Like `send`, for a caller that can wait: resolves or rejects when the fate of the events is known. */
  deliver(topic: string, events: readonly OutgoingEvent[]): Promise<void>;
  close(): Promise<void>;
}

/** Connects in the background, again and again until it succeeds or is closed. */
export function createProducerLink(connect: () => Promise<EventProducer>, logger: Logger): ProducerLink {
  const closing = new AbortController();
  let producer: EventProducer | undefined;
  void keepConnecting();

  async function keepConnecting(): Promise<void> {
    while (!closing.signal.aborted && producer === undefined) {
      try {
        producer = await connect();
      } catch (error) {
        logger.warn({ err: error }, 'Kafka cannot be reached; trying again');
        await sleep(1_000, undefined, { signal: closing.signal }).catch(() => undefined);
      }
    }
    if (closing.signal.aborted) await producer?.close();
  }

  function connected(): EventProducer {
    if (!producer) throw new Error('Kafka is not connected');
    return producer;
  }

  return {
    get isConnected() {
      return producer?.isHealthy ?? false;
    },
    async send(topic, events, timeoutMs) {
      const timeout = new AbortController();
      try {
        await within(timeoutMs, connected().send(topic, events, timeout.signal));
      } finally {
        timeout.abort(new Error(`Kafka did not take the events within ${timeoutMs} ms`));
      }
    },
    async deliver(topic, events) {
      await connected().send(topic, events);
    },
    async close() {
      closing.abort();
      await producer?.close();
    },
  };
}

/** The promise's answer, or an error when it takes longer. */
export async function within<Answer>(timeoutMs: number, answer: Promise<Answer>): Promise<Answer> {
  const timer = new AbortController();
  const tooLate = sleep(timeoutMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`no answer within ${timeoutMs} ms`);
  });
  // The promise is settled already: the second result has no receiver.
  answer.catch(() => undefined);
  tooLate.catch(() => undefined);
  try {
    return await Promise.race([answer, tooLate]);
  } finally {
    timer.abort();
  }
}
