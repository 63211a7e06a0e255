import { setTimeout as sleep } from 'node:timers/promises';
import type { EventProducer, OutgoingEvent } from '../../platform/kafka.ts';
import type { Logger } from '../../platform/logger.ts';

/** A producer that may be away: the API starts and answers without Kafka, and connects when Kafka is there. */
export interface ProducerLink {
  readonly isConnected: boolean;
  /** Resolves when Kafka has all events; rejects when it has not said so within the time given. */
  send(topic: string, events: readonly OutgoingEvent[], timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

/** Connects in the background, again and again until it succeeds or is closed. */
export function createProducerLink(connect: () => Promise<EventProducer>, logger: Logger): ProducerLink {
  const closing = new AbortController();
  let producer: EventProducer | undefined;
  const connecting = keepConnecting();

  async function keepConnecting(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        producer = await connect();
        return;
      } catch (error) {
        logger.warn({ err: error }, 'Kafka cannot be reached; trying again');
        await sleep(1_000, undefined, { signal: closing.signal }).catch(() => undefined);
      }
    }
  }

  return {
    get isConnected() {
      return producer !== undefined;
    },
    async send(topic, events, timeoutMs) {
      if (!producer) throw new Error('Kafka is not connected');
      await within(timeoutMs, producer.send(topic, events));
    },
    async close() {
      closing.abort();
      if (producer) await producer.close();
      else void connecting;
    },
  };
}

/** The promise's answer, or an error when it takes longer. */
export async function within<Answer>(timeoutMs: number, answer: Promise<Answer>): Promise<Answer> {
  const timer = new AbortController();
  const tooLate = sleep(timeoutMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`no answer within ${timeoutMs} ms`);
  });
  try {
    return await Promise.race([answer, tooLate]);
  } finally {
    timer.abort();
    tooLate.catch(() => undefined);
  }
}
