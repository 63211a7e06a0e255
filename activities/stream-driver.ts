import { randomUUID } from 'node:crypto';
import { lake } from '../contracts/lake.ts';
import { streamLine, type StreamEventsParams } from '../contracts/schemas/streams.ts';
import type { StreamEventsInput, StreamProgress, TopicProgress } from '../contracts/streams.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import { runSparkProcess, type SparkExit, type SparkProcessOptions } from './spark-process.ts';

/** The settings of the streams. */
export interface StreamSettings {
  readonly servers: string;
  readonly triggerMs: number;
  readonly maxOffsetsPerTrigger: number;
  /** The earliest time of a listen that is taken, by the grammar of contracts/acceptance. */
  readonly earliest: string;
}

/** The dependencies of the streaming driver: its command, the store of its lease, and its settings. */
export interface StreamDriverDeps {
  readonly process: SparkProcessOptions;
  readonly store: ObjectStore;
  readonly settings: StreamSettings;
}

/** A streaming driver that runs, or has ended. */
export interface StreamDriver {
  /** Resolves with how it ended. */
  readonly ended: Promise<SparkExit>;
  readonly hasEnded: boolean;
  progress(): StreamProgress;
  /** Ends it: the batch under way is broken off and done again by the next driver. Resolves when it is gone. */
  stop(): Promise<void>;
}

const leaseKey = `${lake.prefixes.control}streams/driver.json`;
const dataUri = `s3a://${lake.buckets.data}`;

/**
 * Starts a driver. The driver takes the lease first, so that a driver of a different worker can no longer write. Its
 * stdin is its lifeline: the driver ends when this process ends.
 */
export async function startStreamDriver(deps: StreamDriverDeps, input: StreamEventsInput): Promise<StreamDriver> {
  const leaseOwner = randomUUID();
  await deps.store.put(lake.buckets.data, leaseKey, `${JSON.stringify({ owner: leaseOwner })}\n`);
  const stopping = new AbortController();
  const topics = new Map<string, TopicProgress>();
  let hasEnded = false;
  const ended = runSparkProcess(deps.process, {
    job: 'stream_events',
    runKey: `stream-events/${leaseOwner}`,
    params: paramsOf(deps.settings, input, leaseOwner),
    signal: stopping.signal,
    onProgress: () => undefined,
    onLine: (line) => {
      const said = streamLine.safeParse(line);
      if (!said.success) return;
      const { segue: _kind, ...topic } = said.data;
      topics.set(topic.topic, topic);
    },
  }).finally(() => {
    hasEnded = true;
  });
  // The activity awaits this promise later. Until then a failed start must not end the worker.
  ended.catch(() => undefined);
  return {
    ended,
    get hasEnded() {
      return hasEnded;
    },
    progress: () => describe([...topics.values()]),
    stop: async () => {
      stopping.abort();
      await ended.catch(() => undefined);
    },
  };
}

function paramsOf(settings: StreamSettings, input: StreamEventsInput, leaseOwner: string): StreamEventsParams {
  return {
    runKey: `stream-events/${leaseOwner}`,
    lakeUri: dataUri,
    checkpointsUri: `${dataUri}/_checkpoints`,
    ...settings,
    leaseUri: `${dataUri}/${leaseKey}`,
    leaseOwner,
    startFrom: input.startFrom ?? 'table',
  };
}

function describe(topics: readonly TopicProgress[]): StreamProgress {
  const isRunning = topics.length > 0 && topics.every(({ state }) => state === 'running');
  const isWaiting = topics.some(({ state }) => state === 'waiting');
  return { stage: isRunning ? 'streaming' : isWaiting ? 'waiting to start a stream again' : 'starting', topics };
}
