import type { OutgoingEvent } from './producer.ts';

/** The dependencies and time limits of a batcher. */
export interface BatcherOptions {
  /** Sends a batch. Resolves when Kafka has the whole batch. The batcher makes a single call at a time per topic. */
  readonly send: (topic: string, events: readonly OutgoingEvent[]) => Promise<void>;
  /** How long the first event of a batch waits for company. */
  readonly lingerMs: number;
  /** The most events in a batch, unless a single call brings more. */
  readonly mostEvents: number;
  /** Events that may wait for a topic; past that they are refused. */
  readonly mostWaiting: number;
  /** A batch that is under way for longer means that Kafka is away: new events are refused at once. */
  readonly stalledMs: number;
}

interface Call {
  readonly events: readonly OutgoingEvent[];
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
}

interface Lane {
  readonly calls: Call[];
  waiting: number;
  startedAt: number | undefined;
}

/**
 * Collects the events of many callers into a batch per topic and sends the batches of a topic in sequence: kafkajs
 * reuses the sequence numbers of a failed batch for the next batch, so two concurrent batches could be confused.
 */
export class EventBatcher {
  readonly #options: BatcherOptions;
  readonly #lanes = new Map<string, Lane>();

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  /** Whether a batch is under way for so long that Kafka must be away. */
  get isStalled(): boolean {
    return [...this.#lanes.values()].some((lane) => this.#hasStalled(lane));
  }

  /**
   * Resolves when Kafka has these events; rejects when that is not known. With an aborted signal events that are not yet
   * under way are taken back.
   */
  send(topic: string, events: readonly OutgoingEvent[], signal?: AbortSignal): Promise<void> {
    const lane = this.#lane(topic);
    if (this.#hasStalled(lane)) return Promise.reject(new Error('Kafka has not answered for a while'));
    if (lane.waiting + events.length > this.#options.mostWaiting) {
      return Promise.reject(new Error(`${lane.waiting} events already wait for Kafka`));
    }
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      const call: Call = { events, resolve, reject };
      lane.calls.push(call);
      lane.waiting += events.length;
      signal?.addEventListener('abort', () => takeBack(lane, call, signal.reason), { once: true });
      if (lane.startedAt === undefined && lane.calls.length === 1) {
        setTimeout(() => void this.#flush(topic, lane), this.#options.lingerMs);
      }
    });
  }

  #lane(topic: string): Lane {
    const found = this.#lanes.get(topic) ?? { calls: [], waiting: 0, startedAt: undefined };
    this.#lanes.set(topic, found);
    return found;
  }

  #hasStalled({ startedAt }: Lane): boolean {
    return startedAt !== undefined && performance.now() - startedAt > this.#options.stalledMs;
  }

  async #flush(topic: string, lane: Lane): Promise<void> {
    while (lane.startedAt === undefined && lane.calls.length > 0) {
      const calls = this.#nextBatch(lane);
      lane.startedAt = performance.now();
      try {
        await this.#options.send(
          topic,
          calls.flatMap((call) => call.events),
        );
        for (const call of calls) call.resolve();
      } catch (error) {
        for (const call of calls) call.reject(error);
      } finally {
        lane.startedAt = undefined;
      }
    }
  }

  #nextBatch(lane: Lane): readonly Call[] {
    let count = 0;
    let calls = 0;
    while (calls < lane.calls.length) {
      const next = lane.calls[calls]!.events.length;
      if (calls > 0 && count + next > this.#options.mostEvents) break;
      count += next;
      calls++;
    }
    lane.waiting -= count;
    return lane.calls.splice(0, calls);
  }
}

function takeBack(lane: Lane, call: Call, reason: unknown): void {
  const at = lane.calls.indexOf(call);
  if (at === -1) return;
  lane.calls.splice(at, 1);
  lane.waiting -= call.events.length;
  call.reject(reason);
}
