import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { ForgettingActivities, ForgetUserInput, ForgetUserReceipt } from '../contracts/forgetting.ts';
import { lake } from '../contracts/lake.ts';
import type { TablePath } from '../contracts/write-locks.ts';
import { quick, sparkJob } from './activity-options.ts';
import { trackProgress } from './progress.ts';
import { refresh } from './refresh-recommendations.ts';
import { withWriteLocks } from './write-lock.ts';

const { markForgotten, deleteFeedback, removeOldSnapshots, writeReceipt } =
  proxyActivities<ForgettingActivities>(quick);
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
  'the user’s list in the served snapshot, because the new one was not published: the API does not answer from it for them';

/**
 * Takes a user out of every table, the served snapshot, the API's memory and what comes in later. Running it again does
 * nothing more. The mark comes first: from then on nothing brings the user back while the rest goes on.
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
  // Something was learned from the rows that are gone: the model and the lists are made anew without them.
  const wasThere = Object.values(rows).some((count) => count > 0);
  const refreshed = wasThere ? await refresh(progress, { force: true }) : undefined;
  const isServed = refreshed !== undefined && refreshed.outcome !== 'published';
  progress.enter('removing old snapshots');
  const { removed } = await removeOldSnapshots();
  const receipt = {
    userHash,
    forgottenAt,
    rows,
    removedSnapshots: removed,
    remains: isServed ? [...remains, servedStill] : remains,
  };
  await writeReceipt({ receipt, runId });
  progress.enter('done');
  return receipt;
}
