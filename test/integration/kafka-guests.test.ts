import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import kafkajs, { type Admin } from 'kafkajs';
import { createCatchUp } from '../../api/events/catch-up.ts';
import { startFeed } from '../../api/events/feed.ts';
import { EventHub } from '../../api/events/hub.ts';
import { Position } from '../../api/events/position.ts';
import { ListenerView } from '../../api/listeners/view.ts';
import { topicNames, topics } from '../../contracts/topics.ts';
import type { IncomingBatch } from '../../platform/kafka/batches.ts';
import { createKafka, type KafkaOptions } from '../../platform/kafka/client.ts';
import { consumeFrom } from '../../platform/kafka/consumer.ts';
import { listDeadLetters } from '../../platform/kafka/dead-letters.ts';
import { feedbackKeysOf } from '../../platform/kafka/feedback-topic.ts';
import { readBounds } from '../../platform/kafka/offsets.ts';
import { readRanges } from '../../platform/kafka/ranges.ts';
import { ensureTopics, ensureTopicSettings } from '../../platform/kafka/topics.ts';
import { createLogger } from '../../platform/logger.ts';
import { startStack, type RunningStack } from '../../stack/stack.ts';
import { codecs, remakeTopic, startGuest, type Guest } from '../support/guest.ts';
import { installed } from '../support/installed.ts';
import { until } from '../support/wait.ts';

const logger = createLogger({ name: 'test', level: 'silent' });

/** One real Kafka, a producer that is not ours, and the API's readers in this process. */
describe('Kafka with guests', function () {
  this.timeout(60_000);
  let folder: string;
  let stack: RunningStack;
  let kafka: KafkaOptions;
  let admin: Admin;
  let guest: Guest;
  before(async function () {
    this.timeout(120_000);
    folder = await mkdtemp(join(tmpdir(), 'segue-guests-'));
    stack = await startStack({ stateDir: join(folder, 'state'), services: ['kafka'], installed: await installed() });
    kafka = { brokers: [stack.env['SEGUE_KAFKA_BROKERS']!], clientId: 'segue-test', logger };
    admin = createKafka(kafka).admin();
    await admin.connect();
    guest = await startGuest(kafka.brokers[0]!);
  });
  after(async () => {
    await guest?.stop();
    await admin?.disconnect();
    await stack?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** A topic as a guest makes it: no setting is ours. */
  async function makeTopic(name: string, settings: Readonly<Record<string, string>> = {}): Promise<string> {
    const configEntries = Object.entries(settings).map(([setting, value]) => ({ name: setting, value }));
    await admin.createTopics({ topics: [{ topic: name, numPartitions: 1, configEntries }], waitForLeaders: true });
    return name;
  }

  async function readAll(topic: string): Promise<readonly IncomingBatch[]> {
    const batches: IncomingBatch[] = [];
    const bounds = await readBounds(kafka, [topic]);
    const ranges = bounds.map(({ partition, low, high }) => ({ topic, partition, offset: low, end: high }));
    await readRanges(kafka, ranges, (batch) => void batches.push(batch), 15_000);
    return batches;
  }

  function feed() {
    const [hub, view] = [new EventHub(), new ListenerView(() => new Date())];
    const refused: string[] = [];
    const counters = { refused: (topic: string) => void refused.push(topic), unreadable: () => undefined };
    const told: string[] = [];
    hub.watch(
      ({ events }) => void told.push(...events.map(({ block }) => /"event_id":"([^"]+)"/.exec(block)?.[1] ?? '')),
    );
    const running = startFeed({
      ...{ kafka, hub, view, now: () => new Date() },
      counters: { ...counters, ended: () => undefined },
    });
    return { hub, view, refused, told, running };
  }

  it('reads what a guest sends in every codec, for the broker compresses it again', async () => {
    const world = feed();
    await until('the feed has begun', () => world.running.isViewRebuilt);
    const sent: string[] = [];
    for (const codec of codecs) {
      const listens = Array.from({ length: 40 }, () => listen('codecs'));
      sent.push(...listens.map(({ id }) => id));
      await guest.send({ topic: topicNames.listens, codec, records: listens });
    }
    await until('all are told', () => world.told.length >= sent.length);
    assert.deepEqual(world.told.toSorted(), sent.toSorted());
    // What was in the way at the start (a coordinator that is still loading) is told for a moment longer.
    await until('no problem is left', () => world.running.problem === undefined);
    await world.running.close();
  });

  it('gives topics that exist the settings that guard them, and leaves what somebody else has set', async () => {
    const name = await makeTopic('made-by-others', { 'retention.ms': '123456789', 'max.message.bytes': '5000000' });
    const topic = { ...topics[0]!, name };
    await ensureTopicSettings(kafka, [topic, { ...topic, name: 'missing' }]);
    await ensureTopics(kafka.brokers[0]!, [topic]);
    const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name }];
    const { resources: found } = await admin.describeConfigs({ includeSynonyms: false, resources });
    const set = found[0]!.configEntries.flatMap(({ configName, configValue, configSource }) =>
      (configSource as number) === 1 ? [[configName, configValue]] : [],
    );
    assert.deepEqual(Object.fromEntries(set), {
      'retention.ms': '123456789',
      'max.message.bytes': '5000000',
      'compression.type': 'gzip',
      'message.timestamp.type': 'LogAppendTime',
    });
    await assert.rejects(
      ensureTopicSettings(kafka, [{ ...topic, compressionType: 'rot13' }]),
      /refused the settings of topic made-by-others .*kafka-configs\.sh --alter --topic made-by-others --add-config compression\.type=rot13/,
    );
  });

  it('names a batch that lies on a topic in a foreign codec, and reads on behind it', async () => {
    const topic = await makeTopic('unguarded');
    for (const codec of ['gzip', 'zstd', 'snappy', 'lz4', 'none'] as const) {
      await guest.send({ topic, codec, records: [listen('a'), listen('b')] });
    }
    const batches = await readAll(topic);
    assert.deepEqual(
      batches.flatMap(({ records }) => records.map(({ offset }) => offset)),
      [0, 1, 8, 9],
    );
    assert.deepEqual(
      batches.flatMap(({ unreadable }) => unreadable),
      [
        { first: 2, last: 3, reason: 'zstd' },
        { first: 4, last: 5, reason: 'snappy' },
        { first: 6, last: 7, reason: 'lz4' },
      ],
    );
  });

  it('has the view rebuilt after a transaction, and tells the committed records alone', async () => {
    const before = await readBounds(kafka, [topicNames.listens]);
    const committed = [listen('t'), listen('t'), listen('t')];
    await guest.abort({ topic: topicNames.listens, records: [listen('t')] });
    await guest.commit({ topic: topicNames.listens, records: committed });
    await guest.abort({ topic: topicNames.listens, records: [listen('t')] });
    const world = feed();
    await until('the view is rebuilt', () => world.running.isViewRebuilt, { timeoutMs: 15_000 });
    assert.deepEqual(
      world.view
        .plays('t')
        ?.map(({ event_id }) => event_id)
        .toSorted(),
      committed.map(({ id }) => id).toSorted(),
    );
    // Caught up means the end of the partition, which is a marker.
    await world.hub.caughtUp;
    const ends = await readBounds(kafka, [topicNames.listens]);
    for (const { topic, partition, high } of ends) assert.equal(world.hub.position.next(topic, partition), high);
    const from = new Position();
    for (const { topic, partition, high } of before) from.set(topic, partition, high);
    const ids: string[] = [];
    const lost = await createCatchUp(kafka).read(from, world.hub.position, async (events) => {
      ids.push(...events.map(({ block }) => /"event_id":"([^"]+)"/.exec(block)![1]!));
    });
    assert.deepEqual([lost, ids.toSorted()], [0, committed.map(({ id }) => id).toSorted()]);
    await world.running.close();
  });

  it('ends the lists of dead letters and of a user’s feedback behind a transaction’s marker', async () => {
    const topic = `${topicNames.pipeline}.dlq`;
    await guest.commit({ topic, records: [{ key: 'k', value: 'refused' }] });
    await guest.abort({ topic, records: [{ key: 'k', value: 'never there' }] });
    assert.deepEqual(
      (await listDeadLetters(kafka, topicNames.pipeline)).map(({ value, place }) => [value?.toString(), place]),
      [['refused', '0']],
    );
    const key = JSON.stringify(['anna', 't1']);
    await guest.commit({ topic: topicNames.feedback, records: [{ key, value: '{}' }] });
    assert.deepEqual(await feedbackKeysOf(kafka, 'anna'), [key]);
  });

  it('dates records itself, whatever time a guest gives them', async () => {
    const startedAt = Date.now();
    const [old, ahead] = [listen('old'), listen('ahead')];
    await guest.send({ topic: topicNames.listens, timestampMs: Date.UTC(2009, 0, 1), records: [old] });
    await guest.send({ topic: topicNames.listens, timestampMs: Date.now() + 86_400_000 * 365, records: [ahead] });
    const records = (await readAll(topicNames.listens)).flatMap((batch) => batch.records);
    for (const { id } of [old, ahead]) {
      const { timestampMs } = records.find(({ value }) => value!.includes(id))!;
      assert.ok(timestampMs >= startedAt - 1_000 && timestampMs <= Date.now() + 1_000, String(timestampMs));
    }
  });

  it('keeps what is no listen and no feedback out of the view, counts it, and goes on', async () => {
    const hostile = ['5', 'null', '"', '[1]', '{"schema_version":1}', '{"event_id":{}}', ''];
    await guest.send({ topic: topicNames.listens, records: hostile.map((value) => ({ key: 'h', value })) });
    await guest.send({ topic: topicNames.feedback, records: hostile.map((value) => ({ key: value, value })) });
    const good = listen('h');
    await guest.send({ topic: topicNames.listens, records: [good] });
    const world = feed();
    await until('the view is rebuilt', () => world.running.isViewRebuilt);
    assert.deepEqual(
      world.view.plays('h')?.map(({ event_id }) => event_id),
      [good.id],
    );
    const count = (topic: string): number => world.refused.filter((each) => each === topic).length;
    // On feedback lies one '{}' more, of the test above.
    assert.deepEqual([count(topicNames.listens), count(topicNames.feedback)], [hostile.length, hostile.length + 1]);
    await world.running.close();
  });

  it('notices a consumer that ends, and another goes on where it was', async () => {
    const topic = await makeTopic('crashing');
    const seen: number[] = [];
    let ends = 0;
    let isBroken = true;
    const reader = await consumeFrom(
      kafka,
      [{ topic, partition: 0, offset: 0 }],
      ({ records }) => {
        for (const { offset } of records) {
          // kafkajs takes this for the end of the consumer, as it takes a batch in a codec it does not know.
          if (offset === 2 && isBroken)
            throw Object.assign(new kafkajs.KafkaJSNonRetriableError('broken'), notImplemented);
          if (!seen.includes(offset)) seen.push(offset);
        }
      },
      { onEnd: () => void ends++ },
    );
    for (let batch = 0; batch < 3; batch++) await guest.send({ topic, records: [listen('c'), listen('c')] });
    await until('its end is noticed', () => reader.problem !== undefined, { timeoutMs: 30_000 });
    assert.equal(reader.problem, 'broken');
    isBroken = false;
    await until('another has read the rest', () => seen.length === 6, { timeoutMs: 30_000 });
    await until('all is well', () => reader.problem === undefined, { timeoutMs: 30_000 });
    assert.deepEqual([seen, ends > 0], [[0, 1, 2, 3, 4, 5], true]);
    await reader.close();
  });

  it('reads a topic that was made anew from its first record, and tells it as news', async () => {
    const world = feed();
    await until('the feed has begun', () => world.running.isViewRebuilt);
    const before = Array.from({ length: 50 }, () => listen('anew'));
    await guest.send({ topic: topicNames.pipeline, records: before });
    await until('all are told', () => world.told.length >= 50);
    await remakeTopic(kafka, topicNames.pipeline);
    const after = Array.from({ length: 30 }, () => listen('anew'));
    await guest.send({ topic: topicNames.pipeline, records: after });
    await until('all of the new topic are told', () => world.told.length >= 80, { timeoutMs: 30_000 });
    assert.deepEqual(
      world.told,
      [...before, ...after].map(({ id }) => id),
    );
    assert.equal(world.hub.position.next(topicNames.pipeline, 0), 30);
    await world.running.close();
  });
});

const notImplemented = { name: 'KafkaJSNotImplemented' };

function listen(user: string): { readonly id: string; readonly key: string; readonly value: string } {
  const id = randomUUID();
  const at = new Date().toISOString();
  const event = { schema_version: 1, event_id: id, user_id: user, track_id: 't1', event_type: 'like' };
  return { id, key: user, value: JSON.stringify({ ...event, timestamp: at, received_at: at }) };
}
