import type { ForgettingActivities } from '../contracts/forgetting.ts';
import { lake } from '../contracts/lake.ts';
import { topicNames } from '../contracts/topics.ts';
import { forgottenKey, hashOfUser, receiptKey } from '../platform/forgotten-users.ts';
import type { EventProducer } from '../platform/kafka/producer.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import { failure } from './failures.ts';
import { readPointer } from './publication.ts';
import { runSparkJob } from './spark-jobs.ts';
import type { SparkProcessOptions } from './spark-process.ts';

/** What forgetting needs: Spark for the tables, the store for what is kept and served, Kafka for feedback and its keys. */
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
      await store.put(lake.buckets.data, forgottenKey(userHash), `${JSON.stringify({ forgottenAt: at })}\n`);
      return { userHash };
    },
    deleteUserRows: async ({ userId, runKey, at }) => {
      const lakeUri = `s3a://${lake.buckets.data}`;
      const done = await runSparkJob(process, 'forget_user', { runKey, lakeUri, userId, forgottenAt: at });
      const rows = Object.fromEntries(done.tables.map(({ table, rows: count }) => [table, count]));
      return { rows };
    },
    deleteFeedback: async ({ userId }) => {
      const records = (await feedbackKeys(userId)).map((key) => ({ key, value: null }));
      if (records.length > 0) await (await producer()).send(topicNames.feedback, records);
    },
    removeOldSnapshots: () => removeOldSnapshots(store),
    writeReceipt: async ({ receipt, runId }) => {
      const key = receiptKey(receipt.userHash, runId);
      await store.put(lake.buckets.data, key, `${JSON.stringify(receipt, null, 2)}\n`);
    },
  };
}

async function removeOldSnapshots(store: ObjectStore): Promise<{ removed: number }> {
  const { serving } = lake.buckets;
  const keys = await store.list(serving, lake.prefixes.snapshots);
  const folders = [...new Set(keys.map(folderOf))];
  let removed = 0;
  for (const folder of folders) {
    // Looked up each time: somebody may go back to an older model meanwhile.
    if (folder === (await servedFolder(store))) continue;
    for (const key of keys.filter((each) => folderOf(each) === folder)) await store.remove(serving, key);
    removed++;
  }
  return { removed };
}

async function servedFolder(store: ObjectStore): Promise<string | undefined> {
  const served = await readPointer(store);
  return served && folderOf(served.pointer.manifestKey);
}

/** snapshots/<modelVersion> of a key below it. */
function folderOf(key: string): string {
  return key.split('/').slice(0, 2).join('/');
}
