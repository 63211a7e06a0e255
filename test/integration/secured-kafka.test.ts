import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { runSparkProcess } from '../../activities/spark-process.ts';
import { createEventProducer } from '../../platform/kafka/producer.ts';
import { createKafka, type KafkaOptions } from '../../platform/kafka/client.ts';
import { readBounds } from '../../platform/kafka/offsets.ts';
import { createLogger } from '../../platform/logger.ts';
import { kafkaAccess } from '../../platform/service-access.ts';
import { freePort } from '../../stack/free-port.ts';
import { probeTcp } from '../../stack/services/probes.ts';
import { readWorkerConfig } from '../../worker/config.ts';
import { streamProcessOptions } from '../../worker/spark.ts';
import { installed } from '../support/installed.ts';
import { until } from '../support/wait.ts';

const support = fileURLToPath(new URL('../support', import.meta.url));
const topic = 'secured';

/** A real broker that lets nobody in without a password. */
describe('a Kafka that wants to know who asks', function () {
  this.timeout(240_000);
  let folder: string;
  let broker: Broker;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'segue-secured-'));
    broker = await startBroker(folder);
    // Somebody may take a port between the look at it and the broker's own: then it ends, and others are tried.
    if (!(await broker.listens())) broker = await startBroker(await mkdtemp(join(folder, 'again-')));
  });
  after(async () => {
    await broker?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const settings = (password: string): NodeJS.ProcessEnv => ({
    SEGUE_KAFKA_BROKERS: broker.address,
    SEGUE_KAFKA_SASL_MECHANISM: 'plain',
    SEGUE_KAFKA_USERNAME: 'segue',
    SEGUE_KAFKA_PASSWORD: password,
  });

  it('is written to and read by both of our clients, with settings alone', async () => {
    const tools = await installed();
    const config = readWorkerConfig({
      ...settings('hush "hush"'),
      ...{ SEGUE_SPARK_MASTER: 'local[1]', SEGUE_STREAM_MEMORY: '512m', SEGUE_PYTHON: tools.python },
      ...{ SEGUE_SPARK_JARS: tools.sparkJarsDir, SEGUE_S3_ACCESS_KEY: 'none', SEGUE_S3_SECRET_KEY: 'none' },
    });
    const options: KafkaOptions = { ...kafkaAccess(config), clientId: 'test', logger };
    const letsUsIn = (): Promise<boolean> => {
      broker.failWhenEnded();
      return makeTopic(options).catch(() => false);
    };
    await until('the broker lets us in', letsUsIn, { timeoutMs: 60_000, everyMs: 500 });
    const producer = await createEventProducer(options);
    await producer.send(topic, [
      { key: 'a', value: 1 },
      { key: 'b', value: 2 },
    ]);
    await producer.close();
    const [bounds] = await readBounds(options, [topic]);
    assert.deepEqual([bounds?.low, bounds?.high], [0, 2]);

    const exit = await runSparkProcess(
      { ...streamProcessOptions(config), jobsDir: support },
      {
        ...{ job: 'count_records', runKey: 'secured', params: { servers: broker.address, topic } },
        ...{ signal: new AbortController().signal, onProgress: () => undefined },
      },
    );
    assert.equal(exit.result, '{"records": 2}', exit.lastLines.join('\n'));
  });

  it('lets nobody in with another password', async () => {
    const { brokers, sasl } = kafkaAccess(
      readWorkerConfig({
        ...settings('wrong'),
        SEGUE_SPARK_MASTER: 'local',
        SEGUE_S3_ACCESS_KEY: 'n',
        SEGUE_S3_SECRET_KEY: 'n',
      }),
    );
    await assert.rejects(makeTopic({ brokers, ...(sasl && { sasl }), clientId: 'test', logger }), /SASL|authenticat/i);
  });
});

const logger = createLogger({ name: 'test', level: 'silent' });

async function makeTopic(options: KafkaOptions): Promise<true> {
  const admin = createKafka(options, { retries: 0 }).admin();
  try {
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }], waitForLeaders: true });
    return true;
  } finally {
    await admin.disconnect();
  }
}

interface Broker {
  readonly address: string;
  /** Whether somebody listens at its address; not when its process is gone, or within half a minute. */
  listens(): Promise<boolean>;
  /** Fails, with what the broker printed, when its process is gone. */
  failWhenEnded(): void;
  stop(): Promise<void>;
}

async function startBroker(folder: string): Promise<Broker> {
  const { java, kafkaLibDir } = await installed();
  const [port, controllerPort] = [await freePort(), await freePort()];
  const [address, controller] = [`127.0.0.1:${port}`, `127.0.0.1:${controllerPort}`];
  const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
  const properties = {
    ...{ 'process.roles': 'broker,controller', 'node.id': '1', 'controller.quorum.voters': `1@${controller}` },
    ...{ listeners: `OURS://${address},CONTROLLER://${controller}`, 'advertised.listeners': `OURS://${address}` },
    'listener.security.protocol.map': 'OURS:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
    ...{ 'controller.listener.names': 'CONTROLLER', 'inter.broker.listener.name': 'OURS' },
    ...{ 'sasl.enabled.mechanisms': 'PLAIN', 'sasl.mechanism.inter.broker.protocol': 'PLAIN' },
    'listener.name.ours.plain.sasl.jaas.config': `${login} username="segue" password="hush \\\\"hush\\\\"" user_segue="hush \\\\"hush\\\\"";`,
    ...{ 'log.dirs': join(folder, 'data'), 'offsets.topic.replication.factor': '1' },
  };
  const file = join(folder, 'server.properties');
  await writeFile(
    file,
    Object.entries(properties)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  const options = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', join(kafkaLibDir, '*')];
  const format = ['kafka.tools.StorageTool', 'format', '-t', 'c2VndWUtc2VjdXJlZC1rYQ', '-c', file];
  await execa(java, [...options, ...format], { stdin: 'ignore' });
  const process = execa(java, [...options, 'kafka.Kafka', file], { reject: false, stdin: 'ignore', all: true });
  let ended: string | undefined;
  void process.then(({ shortMessage, all }) => (ended = `${shortMessage}\n${all}`));
  return {
    address,
    listens: async () => {
      const isThere = (): Promise<boolean> =>
        probeTcp(port).then(
          () => true,
          () => false,
        );
      const listensOrEnded = (): Promise<boolean> | boolean => ended !== undefined || isThere();
      await until('the broker listens', listensOrEnded, { everyMs: 500 }).catch(async () => {
        process.kill('SIGKILL');
        await process;
      });
      return ended === undefined;
    },
    failWhenEnded: () => assert.equal(ended, undefined, `the broker ended: ${ended}`),
    stop: async () => {
      process.kill('SIGTERM');
      await process;
    },
  };
}
