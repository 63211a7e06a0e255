import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { ForgettingActivities, ForgetUserInput, ForgetUserReceipt } from '../contracts/forgetting.ts';
import { lake } from '../contracts/lake.ts';
import { snapshotsOf, type TablePath } from '../contracts/write-locks.ts';
import { fileTransfer, quick, sparkJob } from './activity-options.ts';
import { trackProgress } from './progress.ts';
import { refreshApart } from './refresh-apart.ts';
import { withWriteLocks } from './write-lock.ts';

const { markForgotten, deleteFeedback, writeReceipt } = proxyActivities<ForgettingActivities>(quick);
const { isUserServed, removeOldSnapshots } = proxyActivities<ForgettingActivities>(fileTransfer);
const { deleteUserRows } = proxyActivities<ForgettingActivities>(sparkJob);

const everyTable = lake.tables.map(({ layer, name }): TablePath => `${layer}/${name}`);

/** What forgetting does not reach at once; the receipt says it. */
const remains = [
  'files of earlier table versions, until maintainLakehouse vacuums them (promised retention: 7 days)',
  'listens and answers in Kafka, until their retention ends (7 days; dead letters 30 days)',
  'the landing CSVs, which are the operator’s: the user’s rows in them are not loaded again',
  'the listener’s tokens, until npm run token -- revoke ends them',
  'this run’s input in Temporal, until the namespace’s retention ends',
];

const servedStill =
  'the user in the served snapshot, because no new one was published: the API does not answer from it for them. The next refresh that publishes takes its place, and the next maintainLakehouse removes it, or running this again';

/**
 * Takes a user out of every table, the served snapshot, the API's memory and what comes in later. The mark comes first: from
 * then on nothing brings the user back while the rest goes on. Running it again does what is left to do, which each step looks up
 * anew: rows in the tables, feedback in Kafka, the user in the served snapshot, snapshots beside it.
 */
export async function forgetUser({ userId }: ForgetUserInput = { userId: '' }): Promise<ForgetUserReceipt> {
  const progress = trackProgress();
  const { runId, workflowId, startTime } = workflowInfo();
  const forgottenAt = startTime.toISOString();
  progress.enter('marking');
  const { userHash } = await markForgotten({ userId, at: forgottenAt });
  const { rows } = await withWriteLocks(progress, everyTable, () => {
    progress.enter('deleting rows');
    return deleteUserRows({ userId, runKey: `${workflowId}/${runId}`, at: forgottenAt });
  });
  await deleteFeedback({ userId });
  // The model that is served was learnt from the user, too, and its lists name them: all of it is made anew without them.
  const refreshed = (await isUserServed({ userId })) ? await refreshApart(progress, { force: true }) : undefined;
  const { removed } = await withWriteLocks(progress, [snapshotsOf], () => {
    progress.enter('removing old snapshots');
    return removeOldSnapshots();
  });
  const isStillServed = await isUserServed({ userId });
  const receipt = {
    userHash,
    forgottenAt,
    rows,
    removedSnapshots: removed,
    ...(refreshed && { refresh: refreshed.outcome }),
    isStillServed,
    remains: isStillServed ? [...remains, servedStill] : remains,
  };
  await writeReceipt({ receipt, runId });
  progress.enter('done');
  return receipt;
}
