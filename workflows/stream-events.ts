import {
  continueAsNew,
  defineQuery,
  defineSignal,
  log,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { progressQueryName } from '../contracts/progress.ts';
import {
  streamProgressSignalName,
  type StreamActivities,
  type StreamEventsInput,
  type StreamProgress,
  type TopicProgress,
} from '../contracts/streams.ts';
import { streamDriverLock, type WriteLockWait } from '../contracts/write-locks.ts';
import { alwaysOn } from './activity-options.ts';
import { checkInput } from './input.ts';
import { withWriteLocks } from './write-lock.ts';

const { superviseStreams } = proxyActivities<StreamActivities>(alwaysOn);

/** Where the streams are; answered from memory, at any time. */
export const streamProgressQuery = defineQuery<StreamProgress>(progressQueryName);

/** The activity's report about the streaming driver. */
export const reportStreamProgressSignal = defineSignal<[StreamProgress]>(streamProgressSignalName);

/** Calls of the activity in a run: about a day of calls. */
const callsPerRun = 24;

/**
 * Keeps the Kafka → Delta streams running until a person cancels the run. A single run at a time has the driver, and
 * a second run waits. The run continues as new about once a day, and the driver keeps running during that.
 */
export async function streamEvents(input: StreamEventsInput = {}): Promise<void> {
  checkInput('streamEvents', input);
  let progress: StreamProgress = { stage: 'starting', topics: [] };
  setHandler(streamProgressQuery, () => progress);
  setHandler(reportStreamProgressSignal, (report) => {
    progress = report;
    setCurrentDetails(describe(report));
  });
  const watcher = {
    waitFor: (wait: WriteLockWait | undefined) => {
      progress = { ...progress, stage: wait ? `waiting for ${wait.heldBy}, which has the streams` : 'starting' };
    },
  };
  await withWriteLocks(watcher, [streamDriverLock], () => supervise(input));
  log.info('streams continue as a new run', { historyLength: workflowInfo().historyLength });
  await continueAsNew<typeof streamEvents>(input);
}

async function supervise(input: StreamEventsInput): Promise<void> {
  for (let call = 0; call < callsPerRun && !workflowInfo().continueAsNewSuggested; call++) {
    await superviseStreams(input);
  }
}

function describe({ stage, topics }: StreamProgress): string {
  return [`**${stage}**`, ...topics.map(describeTopic)].join('\n\n');
}

function describeTopic(progress: TopicProgress): string {
  const { topic, state, lag, rows, refused, batchId, batchMs, madeAnew, error } = progress;
  const anew = madeAnew > 0 ? `, made anew ${madeAnew} times` : '';
  const line = `${topic}: ${state}, lag ${lag}, ${rows} rows, ${refused} refused, batch ${batchId} took ${batchMs} ms${anew}`;
  return error === null ? line : `${line}; ${error.split('\n')[0]}`;
}
