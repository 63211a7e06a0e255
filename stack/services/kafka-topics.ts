import { Kafka, logLevel, type Admin } from 'kafkajs';
import { topics } from '../../contracts/topics.ts';

/** Resolves when the broker answers. */
export async function probeKafka(broker: string): Promise<void> {
  await withAdmin(broker, async (admin) => {
    await admin.describeCluster();
  });
}

/** Makes the contract's topics that are missing and sets the retention of all. Safe to repeat. */
export async function ensureTopics(broker: string): Promise<void> {
  await withAdmin(broker, async (admin) => {
    const present = new Set(await admin.listTopics());
    const missing = topics.filter(({ name }) => !present.has(name));
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map(({ name, partitions, retentionMs }) => ({
        topic: name,
        numPartitions: partitions,
        replicationFactor: 1,
        configEntries: [{ name: 'retention.ms', value: String(retentionMs) }],
      })),
    });
  });
}

async function withAdmin(broker: string, use: (admin: Admin) => Promise<void>): Promise<void> {
  const kafka = new Kafka({
    clientId: 'segue-stack',
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
