import type { ForgettingActivities } from '../contracts/forgetting.ts';
import { lake } from '../contracts/lake.ts';
import { topicNames } from '../contracts/topics.ts';
import { forgottenKey, hashOfUser, receiptKey } from '../platform/forgotten-users.ts';
import type { EventProducer } from '../platform/kafka/producer.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import { failure } from './failures.ts';
import { whileHeartbeating } from './heartbeat.ts';
import { listSnapshots, removeSnapshot } from './snapshots/stored-snapshots.ts';
import { isUserServed } from './snapshots/users-in-snapshot.ts';
import { runSparkJob } from './spark-jobs.ts';
import type { SparkProcessOptions } from './spark-process.ts';

/**
 * The dependencies of forgetting: Spark for the tables, the store for files and snapshots, Kafka for feedback and its
 * keys.
 */
export interface ForgettingDeps {
  readonly process: SparkProcessOptions;
  readonly store: ObjectStore;
  readonly producer: () => Promise<EventProducer>;
  /** The keys of a user's feedback that Kafka still has. */
  readonly feedbackKeys: (userId: string) => Promise<readonly string[]>;
}

/** The activities that take a user out of everything that is kept. */
export function createForgettingActivities({
  process,
  store,
  producer,
  feedbackKeys,
}: ForgettingDeps): ForgettingActivities {
  return {
    markForgotten: async ({ userId, at }) => {
      if (typeof userId !== 'string' || userId.trim() === '') {
        throw failure('InputInvalid', 'forgetUser needs an input {"userId": "…"}; nothing was done.');
      }
      const userHash = hashOfUser(userId);
      await mark(store, userHash, at);
      return { userHash };
    },
    deleteUserRows: async ({ userId, runKey, at }) => {
      const lakeUri = `s3a://${lake.buckets.data}`;
      const done = await runSparkJob(process, 'forget_user', { runKey, lakeUri, userId, forgottenAt: at });
      // The second mark, after the rows are gone: an older snapshot may hold the user, and a newer snapshot cannot.
      await mark(store, hashOfUser(userId), at);
      const rows = Object.fromEntries(done.tables.map(({ table, rows: count }) => [table, count]));
      return { rows };
    },
    deleteFeedback: async ({ userId }) => {
      const records = (await feedbackKeys(userId)).map((key) => ({ key, value: null }));
      if (records.length > 0) await (await producer()).send(topicNames.feedback, records);
    },
    isUserServed: ({ userId }) => whileHeartbeating(() => isUserServed(store, userId)),
    removeOldSnapshots: () => whileHeartbeating(() => removeOldSnapshots(store)),
    writeReceipt: async ({ receipt, runId }) => {
      const key = receiptKey(receipt.userHash, runId);
      await store.put(lake.buckets.data, key, `${JSON.stringify(receipt, null, 2)}\n`);
    },
  };
}

/** Every snapshot except the served snapshot: all of them hold lists of the user. */
async function removeOldSnapshots(store: ObjectStore): Promise<{ removed: number }> {
  let removed = 0;
  for (const snapshot of await listSnapshots(store)) if (await removeSnapshot(store, snapshot)) removed++;
  return { removed };
}

function mark(store: ObjectStore, userHash: string, at: string): Promise<unknown> {
  return store.put(lake.buckets.data, forgottenKey(userHash), `${JSON.stringify({ forgottenAt: at })}\n`);
}
