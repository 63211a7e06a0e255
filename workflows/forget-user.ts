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

/** The places that still hold the user for a while. The receipt lists them. */
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
 * Removes a user from every table, the served snapshot, the API's memory and future input. The first step marks the
 * user as forgotten: after that, no step and no door brings the user back. A second run is safe: each step looks up
 * the remaining work, which may be rows in tables, feedback in Kafka, the served snapshot, or older snapshots.
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
  // The served model was trained on the user's listens, and its lists name the user: the refresh makes a new model without them.
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
