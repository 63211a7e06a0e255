import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { feedbackEvent, listeningEvent } from '../../contracts/schemas/events.ts';
import { topicNames } from '../../contracts/topics.ts';
import { consumeFrom, type KafkaReader, type PartitionOffset } from '../../platform/kafka/consumer.ts';
import type { IncomingBatch, IncomingRecord } from '../../platform/kafka/batches.ts';
import { offsetsAt, readBounds, type PartitionBounds } from '../../platform/kafka/offsets.ts';
import type { KafkaOptions } from '../../platform/kafka/client.ts';
import { recentMs, type ListenerView } from '../listeners/view.ts';
import type { EventHub } from './hub.ts';

/** User and track, as contracts/events.json keys feedback. */
const feedbackKey = z.tuple([z.string(), z.string()]);
const retryMs = 1_000;
/** Records of each partition that are read again at a start, so that clients of the process before miss nothing. */
const remembered = 1_000;
/** Listens of each partition that are read again at a start for the listeners' last plays. */
const mostListens = 100_000;

/** The only consumer of this process. It feeds the hub of the watchers and the view of the listeners. */
export interface Feed {
  /** Whether the view holds all that lay in Kafka when this process began. */
  readonly isViewRebuilt: boolean;
  /** Why it does not read Kafka at the moment; undefined while it does, and before it was first tried. */
  readonly problem: string | undefined;
  close(): Promise<void>;
}

/** The counters of the feed, for the metrics. */
export interface FeedCounters {
  /** Records of a topic that break its contract: they reach no view. */
  readonly refused: (topic: string) => void;
  /** Records of a topic that this process cannot read. */
  readonly unreadable: (topic: string, count: number) => void;
  /** The consumer has ended and is replaced. */
  readonly ended: () => void;
}

/** The dependencies of the feed: Kafka, the receivers, and a clock. */
export interface FeedDeps {
  readonly kafka: KafkaOptions;
  readonly hub: EventHub;
  readonly view: ListenerView;
  readonly counters: FeedCounters;
  readonly now: () => Date;
}

/** Connects in the background, again and again until it succeeds or is closed. */
export function startFeed({ kafka, hub, view, counters, now }: FeedDeps): Feed {
  const closing = new AbortController();
  const unread = new Map<string, number>();
  let isStarted = false;
  let problem: string | undefined;
  let consumer: KafkaReader | undefined;

  async function begin(): Promise<void> {
    const topics = Object.values(topicNames);
    const bounds = await readBounds(kafka, topics);
    const since = await offsetsAt(kafka, [topicNames.listens], now().getTime() - recentMs);
    const starts = bounds.map((bound) => startOf(bound, since));
    const streamed = bounds.filter(({ topic }) => topic !== topicNames.feedback);
    hub.begin(
      streamed.map(({ topic, partition, low, high }) => ({
        topic,
        partition,
        offset: Math.max(low, high - remembered),
      })),
      streamed.map(({ topic, partition, high }) => ({ topic, partition, offset: high })),
    );
    for (const [index, { topic, partition, high }] of bounds.entries()) {
      const isForView = topic === topicNames.feedback || topic === topicNames.listens;
      if (isForView && starts[index]!.offset < high) unread.set(`${topic}-${partition}`, high);
    }
    isStarted = true;
    consumer = await consumeFrom(kafka, starts, take, { onEnd: counters.ended });
  }

  function take(batch: IncomingBatch): void {
    const { topic, partition, records, next } = batch;
    for (const record of records) if (!tellView(view, record)) counters.refused(topic);
    for (const { first, last } of batch.unreadable) counters.unreadable(topic, last + 1 - first);
    hub.accept(batch);
    const name = `${topic}-${partition}`;
    if (batch.isRestarted || next >= (unread.get(name) ?? Infinity)) unread.delete(name);
  }

  async function keepTrying(): Promise<void> {
    while (!closing.signal.aborted && consumer === undefined) {
      try {
        await begin();
      } catch (error) {
        problem = (error as Error).message;
        kafka.logger.warn({ err: error }, 'Kafka cannot be read; trying again');
        await sleep(retryMs, undefined, { signal: closing.signal }).catch(() => undefined);
      }
    }
    if (closing.signal.aborted) await consumer?.close();
  }

  void keepTrying();
  return {
    get isViewRebuilt() {
      return isStarted && unread.size === 0;
    },
    get problem() {
      return consumer ? consumer.problem : problem;
    },
    close: async () => {
      closing.abort();
      await consumer?.close();
    },
  };
}

/**
 * The start of reading: all feedback, the listens of the last plays, and of the remaining topics the records that a
 * returning watcher may need.
 */
function startOf({ topic, partition, low, high }: PartitionBounds, since: readonly PartitionOffset[]): PartitionOffset {
  if (topic === topicNames.feedback) return { topic, partition, offset: low };
  const recent = Math.max(low, high - remembered);
  if (topic !== topicNames.listens) return { topic, partition, offset: recent };
  const listens = since.find((found) => found.partition === partition)?.offset ?? high;
  return { topic, partition, offset: Math.min(recent, Math.max(low, high - mostListens, listens)) };
}

/**
 * False if the record does not fit its topic. The view ignores such a record, and the stream into the lake keeps it
 * with the reason.
 */
function tellView(view: ListenerView, { topic, key, value }: IncomingRecord): boolean {
  if (topic === topicNames.listens) {
    const event = listeningEvent.safeParse(parseJson(value));
    if (event.success) view.takeListen(event.data);
    return event.success;
  }
  if (topic !== topicNames.feedback) return true;
  if (value === null) return dropFeedback(view, key);
  const event = feedbackEvent.safeParse(parseJson(value));
  if (event.success) view.takeFeedback(event.data);
  return event.success;
}

/** False for a key that nothing of ours has written. */
function dropFeedback(view: ListenerView, key: string | null): boolean {
  const parts = feedbackKey.safeParse(parseJson(key));
  if (parts.success) view.dropFeedback(...parts.data);
  return parts.success;
}

function parseJson(text: string | null): unknown {
  try {
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
