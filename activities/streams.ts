import { setTimeout as sleep } from 'node:timers/promises';
import { CancelledFailure, Context } from '@temporalio/activity';
import {
  streamProgressSignalName,
  type StreamActivities,
  type StreamEventsInput,
  type StreamProgress,
} from '../contracts/streams.ts';
import { failure } from './failures.ts';
import type { SparkExit } from './spark-process.ts';
import { startStreamDriver, type StreamDriver, type StreamDriverDeps } from './stream-driver.ts';

/** How often the driver is looked at; every look heartbeats. */
const lookMs = 1_000;
/** The run hears of progress this often at most, and this often when nothing changes: signals are history. */
const tellMs = 5_000;
const tellIdleMs = 60_000;
/**
 * The worker stops a driver after this time without a call of the activity: its run was terminated between two calls.
 */
const unwatchedMs = 60_000;

/** The dependencies of the stream activities. `stopping` aborts when the worker has to stop. */
export interface StreamDeps extends StreamDriverDeps {
  readonly stopping: AbortSignal;
  /** After this time a call returns and leaves the driver to the next call, so that no activity runs without end. */
  readonly watchMs: number;
}

/** The activity that keeps the streaming driver running. */
export function createStreamActivities(deps: StreamDeps): StreamActivities {
  const host = createHost(deps);
  return {
    superviseStreams: async (input) => {
      const driver = await host.join(input);
      try {
        await watch(driver, deps);
        host.leave(driver);
      } catch (error) {
        await driver.stop();
        throw error;
      }
    },
  };
}

interface Host {
  join(input: StreamEventsInput): Promise<StreamDriver>;
  leave(driver: StreamDriver): void;
}

/** Keeps at most a single driver running between the calls of the activity. */
function createHost(deps: StreamDriverDeps): Host {
  let held: StreamDriver | undefined;
  let timer: NodeJS.Timeout | undefined;
  return {
    async join(input) {
      clearTimeout(timer);
      if (held && !held.hasEnded) return held;
      held = await startStreamDriver(deps, input);
      return held;
    },
    leave(driver) {
      timer = setTimeout(() => void driver.stop(), unwatchedMs);
    },
  };
}

/** Returns when the time is over; throws when the driver has ended, the run is cancelled or the worker stops. */
async function watch(driver: StreamDriver, { stopping, watchMs }: StreamDeps): Promise<void> {
  const context = Context.current();
  const tell = createTeller();
  const { cancellationSignal } = context;
  const ended = new AbortController();
  const end = (): void => ended.abort();
  void driver.ended.then(end, end);
  const anyEnd = AbortSignal.any([cancellationSignal, stopping, ended.signal]);
  const deadline = Date.now() + watchMs;
  while (Date.now() < deadline) {
    const progress = driver.progress();
    context.heartbeat(progress);
    tell(progress);
    // This promise rejects only if the wait is cut short. The code below finds the reason.
    await sleep(lookMs, undefined, { signal: anyEnd }).catch(() => undefined);
    if (cancellationSignal.aborted) throw new CancelledFailure('the streams were cancelled and have stopped');
    if (stopping.aborted) throw failure('StreamStopped', 'The worker stops; the streams go on when a worker is back.');
    if (driver.hasEnded) throw endOf(await driver.ended);
  }
}

function endOf({ exitCode, error, lastLines }: SparkExit): Error {
  const message = `The streaming driver ended: ${error?.message ?? lastLines.at(-1) ?? 'without a word'}`;
  return failure('StreamFailed', message, { details: [{ exitCode: exitCode ?? null, lastLines }] });
}

/**
 * Reports the position of the streams to the run and to the metrics: soon after a change, and seldom without a change.
 */
function createTeller(): (progress: StreamProgress) => void {
  const { client, info, log, metricMeter } = Context.current();
  const lag = metricMeter.createGauge('segue_stream_lag', 'int', 'records', 'Records Kafka has that bronze has not');
  const refused = metricMeter.createGauge('segue_stream_refused', 'int', 'records', 'Records sent to the dead letters');
  const madeAnew = metricMeter.createGauge(
    'segue_stream_made_anew',
    'int',
    'times',
    'Topics found deleted and made again',
  );
  const execution = info.workflowExecution;
  let told = '';
  let toldAt = 0;
  return (progress) => {
    for (const topic of progress.topics) {
      lag.set(topic.lag, { topic: topic.topic });
      refused.set(topic.refused, { topic: topic.topic });
      madeAnew.set(topic.madeAnew, { topic: topic.topic });
    }
    const text = JSON.stringify(progress);
    const gapMs = text === told ? tellIdleMs : tellMs;
    if (!execution || Date.now() - toldAt < gapMs) return;
    told = text;
    toldAt = Date.now();
    client.workflow
      .getHandle(execution.workflowId, execution.runId)
      .signal(streamProgressSignalName, progress)
      .catch((error: unknown) => log.warn('could not report progress', { error: String(error) }));
  };
}
