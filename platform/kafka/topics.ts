import kafkajs, { Kafka, logLevel, type Admin } from 'kafkajs';
import type { Topic } from '../../contracts/topics.ts';
import { createKafka, type KafkaOptions } from './client.ts';

/** Kafka's number for a topic as a resource with settings. Node does not find it among the names of the module. */
const topicResource = kafkajs.ConfigResourceTypes.TOPIC;
/** Kafka's number for a setting that was made for this topic. */
const topicSource = 1;

/** Resolves when the broker answers; rejects within seconds when it does not. */
export async function pingKafka(broker: string): Promise<void> {
  await use(impatientAdmin(broker), async (admin) => {
    await admin.describeCluster();
  });
}

/**
 * Creates the missing topics, each partition on a single broker, and gives existing topics the settings that guard them
 * (`guards`). Safe to repeat.
 */
export async function ensureTopics(broker: string, topics: readonly Topic[]): Promise<void> {
  await use(impatientAdmin(broker), async (admin) => {
    const present = new Set(await admin.listTopics());
    await admin.createTopics({
      waitForLeaders: true,
      topics: topics.filter(({ name }) => !present.has(name)).map(newTopic),
    });
    await guardTopics(
      admin,
      topics.filter(({ name }) => present.has(name)),
    );
  });
}

/**
 * Gives topics of an external Kafka the settings that guard them. The operator of that Kafka creates missing topics.
 * Rejects with the topics and settings in words if the broker refuses. Safe to repeat.
 */
export async function ensureTopicSettings(options: KafkaOptions, topics: readonly Topic[]): Promise<void> {
  await use(createKafka(options).admin(), async (admin) => {
    const present = new Set(await admin.listTopics());
    await guardTopics(
      admin,
      topics.filter(({ name }) => present.has(name)),
    );
  });
}

/**
 * The settings that guard a topic from foreign producers. The broker compresses every batch again in a codec that all
 * of our readers know, and sets the record's time itself, so that an invented time neither keeps nor drops a record.
 */
function guards({ compressionType, timestampType }: Topic): ReadonlyMap<string, string> {
  return new Map([
    ['compression.type', compressionType],
    ['message.timestamp.type', timestampType],
  ]);
}

function newTopic(topic: Topic) {
  const { name, partitions, retentionMs, cleanupPolicy = 'delete' } = topic;
  const settings = new Map([
    ['retention.ms', String(retentionMs)],
    ['cleanup.policy', cleanupPolicy],
    ...guards(topic),
  ]);
  return { topic: name, numPartitions: partitions, replicationFactor: 1, configEntries: entriesOf(settings) };
}

async function guardTopics(admin: Admin, topics: readonly Topic[]): Promise<void> {
  if (topics.length === 0) return;
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map(({ name }) => ({ type: topicResource, name })),
  });
  for (const topic of topics) {
    const entries = resources.find(({ resourceName }) => resourceName === topic.name)?.configEntries ?? [];
    const has = new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
    const wanted = guards(topic);
    if ([...wanted].every(([name, value]) => has.get(name) === value)) continue;
    // Kafka replaces all settings of a topic at once: keep the settings that the operator has set.
    const kept = entries.flatMap(({ configName, configValue, configSource }): [string, string][] =>
      (configSource as number) === topicSource ? [[configName, configValue]] : [],
    );
    await alter(admin, topic.name, new Map([...kept, ...wanted]), wanted);
  }
}

async function alter(
  admin: Admin,
  name: string,
  settings: ReadonlyMap<string, string>,
  wanted: ReadonlyMap<string, string>,
): Promise<void> {
  try {
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: topicResource, name, configEntries: entriesOf(settings) }],
    });
  } catch (cause) {
    const list = [...wanted].map(([setting, value]) => `${setting}=${value}`).join(',');
    throw new Error(
      `Kafka refused the settings of topic ${name} (${(cause as Error).message}). Other producers can then send it batches that ` +
        `the API cannot read, and records that are dropped before they are read. Ask who runs that Kafka for: ` +
        `kafka-configs.sh --alter --topic ${name} --add-config ${list}`,
      { cause },
    );
  }
}

function entriesOf(settings: ReadonlyMap<string, string>): { name: string; value: string }[] {
  return [...settings].map(([name, value]) => ({ name, value }));
}

function impatientAdmin(broker: string): Admin {
  return new Kafka({
    clientId: 'segue-admin',
    brokers: [broker],
    connectionTimeout: 2_000,
    requestTimeout: 10_000,
    retry: { retries: 0 },
    logLevel: logLevel.NOTHING,
  }).admin();
}

async function use(admin: Admin, work: (admin: Admin) => Promise<void>): Promise<void> {
  try {
    await admin.connect();
    await work(admin);
  } finally {
    await admin.disconnect();
  }
}
