import { setTimeout as sleep } from 'node:timers/promises';
import { feedbackEvent, listeningEvent } from '../../contracts/schemas/events.ts';
import { topicNames } from '../../contracts/topics.ts';
import { consumeFrom, type IncomingRecord, type PartitionOffset } from '../../platform/kafka-consumer.ts';
import { offsetsAt, readBounds, type PartitionBounds } from '../../platform/kafka-offsets.ts';
import type { KafkaOptions } from '../../platform/kafka.ts';
import { recentMs, type ListenerView } from '../listeners/view.ts';
import type { EventHub } from './hub.ts';

const retryMs = 1_000;
/** Records of each partition that are read again at a start, so that clients of the process before miss nothing. */
const remembered = 1_000;
/** Listens of each partition that are read again at a start for the listeners' last plays. */
const mostListens = 100_000;

/** The one consumer of this process: it feeds the watchers' hub and the listeners' view. */
export interface Feed {
  /** Whether the view holds all that lay in Kafka when this process began. */
  readonly isViewRebuilt: boolean;
  close(): Promise<void>;
}

/** Connects in the background, again and again until it succeeds or is closed. */
export function startFeed(kafka: KafkaOptions, hub: EventHub, view: ListenerView, now: () => Date): Feed {
  const closing = new AbortController();
  const unread = new Map<string, number>();
  let isStarted = false;
  let consumer: { close(): Promise<void> } | undefined;

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
    consumer = await consumeFrom(kafka, starts, take);
  }

  function take(records: readonly IncomingRecord[]): void {
    for (const record of records) tellView(view, record);
    hub.accept(records);
    const last = records.at(-1);
    if (!last) return;
    const name = `${last.topic}-${last.partition}`;
    if (last.offset + 1 >= (unread.get(name) ?? Infinity)) unread.delete(name);
  }

  async function keepTrying(): Promise<void> {
    while (!closing.signal.aborted && consumer === undefined) {
      try {
        await begin();
      } catch (error) {
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
    close: async () => {
      closing.abort();
      await consumer?.close();
    },
  };
}

/** All feedback, the listens that make up the last plays, and of everything else what watchers may come back for. */
function startOf({ topic, partition, low, high }: PartitionBounds, since: readonly PartitionOffset[]): PartitionOffset {
  if (topic === topicNames.feedback) return { topic, partition, offset: low };
  const recent = Math.max(low, high - remembered);
  if (topic !== topicNames.listens) return { topic, partition, offset: recent };
  const listens = since.find((found) => found.partition === partition)?.offset ?? high;
  return { topic, partition, offset: Math.min(recent, Math.max(low, high - mostListens, listens)) };
}

/** A record that is not what its topic holds is not for the view; the stream into the lake reports it. */
function tellView(view: ListenerView, record: IncomingRecord): void {
  if (record.topic === topicNames.listens) {
    const event = listeningEvent.safeParse(parseJson(record.value));
    if (event.success) view.takeListen(event.data);
  } else if (record.topic === topicNames.feedback) {
    if (record.value === null) return dropFeedback(view, record.key);
    const event = feedbackEvent.safeParse(parseJson(record.value));
    if (event.success) view.takeFeedback(event.data);
  }
}

function dropFeedback(view: ListenerView, key: string | null): void {
  const [userId, trackId] = (parseJson(key) as unknown[] | undefined) ?? [];
  if (typeof userId === 'string' && typeof trackId === 'string') view.dropFeedback(userId, trackId);
}

function parseJson(text: string | null): unknown {
  try {
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
