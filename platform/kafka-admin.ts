import { Kafka, logLevel, type Admin } from 'kafkajs';
import type { Topic } from '../contracts/topics.ts';

/** Resolves when the broker answers; rejects within seconds when it does not. */
export async function pingKafka(broker: string): Promise<void> {
  await withAdmin(broker, async (admin) => {
    await admin.describeCluster();
  });
}

/**
 * Makes the topics that are missing, each partition on one broker. Safe to repeat: topics that are there stay as they are.
 */
export async function createMissingTopics(broker: string, topics: readonly Topic[]): Promise<void> {
  await withAdmin(broker, async (admin) => {
    const present = new Set(await admin.listTopics());
    await admin.createTopics({
      waitForLeaders: true,
      topics: topics
        .filter(({ name }) => !present.has(name))
        .map(({ name, partitions, retentionMs, cleanupPolicy = 'delete' }) => ({
          topic: name,
          numPartitions: partitions,
          replicationFactor: 1,
          configEntries: [
            { name: 'retention.ms', value: String(retentionMs) },
            { name: 'cleanup.policy', value: cleanupPolicy },
          ],
        })),
    });
  });
}

async function withAdmin(broker: string, use: (admin: Admin) => Promise<void>): Promise<void> {
  const kafka = new Kafka({
    clientId: 'segue-admin',
    brokers: [broker],
    connectionTimeout: 2_000,
    requestTimeout: 10_000,
    retry: { retries: 0 },
    logLevel: logLevel.NOTHING,
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    await use(admin);
  } finally {
    await admin.disconnect();
  }
}
