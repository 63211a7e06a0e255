import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { execa } from 'execa';
import { taskQueue } from '../../contracts/ids.ts';
import { topicNames } from '../../contracts/topics.ts';
import { listDeadLetters } from '../../platform/kafka/dead-letters.ts';
import { readBounds } from '../../platform/kafka/offsets.ts';
import { createEventProducer } from '../../platform/kafka/producer.ts';
import { createLogger } from '../../platform/logger.ts';
import { remakeTopic } from '../support/guest.ts';
import { installed } from '../support/installed.ts';
import { startStreamWorld, untilInTable, type StreamWorld } from '../support/stream-world.ts';
import { until } from '../support/wait.ts';

const logger = createLogger({ name: 'test', level: 'silent' });
const listens = 'bronze/listening_events_stream';

/** One stack for all of these, which run in this order. */
describe('the streams, Kafka to Delta', function () {
  this.timeout(600_000);
  let world: StreamWorld;
  before(async () => {
    const { sparkHome } = await installed();
    // Jobs of the batch side go by spark-submit here: one job needs no warm Spark.
    const batch = { SEGUE_SPARK_REMOTE: '', SEGUE_SPARK_MASTER: 'local[2]', SPARK_HOME: sparkHome };
    world = await startStreamWorld({ ...batch, SPARK_LOCAL_IP: '127.0.0.1' });
  });
  after(() => world?.stop());

  it('brings every posted listen into bronze once', async () => {
    const early = await world.postListens(20);
    await world.startStreams();
    const late = await world.postListens(30);
    const found = await untilInTable(world.lake, listens, [...early, ...late], 240_000);
    assert.deepEqual([found.rows, found.doubled], [50, 0]);
  });

  it('answers the progress query with offsets, lag and batch durations of every topic', async () => {
    // Rows are counted as they are written, offsets and lag when their batch has ended, and another topic may still be starting:
    // a report may stand between any two of them.
    const stream = await until('the listens are reported', async () => {
      const said = await world.progress();
      const topic = said?.topics.find((each) => each.topic === 'user_listening_history');
      const read = topic && Object.values(topic.offsets).reduce((sum, offset) => sum + offset, 0);
      return said?.stage === 'streaming' && topic && read === 50 && topic.lag === 0 && topic;
    });
    assert.deepEqual([stream.rows, stream.refused], [50, 0]);
    assert.ok(stream.batchMs > 0);
  });

  it('keeps what does not fit as a dead letter, and takes it once it is replayed after a fix', async () => {
    const kafka = { brokers: [world.stack.env['SEGUE_KAFKA_BROKERS']!], clientId: 'test', logger };
    const producer = await createEventProducer(kafka);
    const listen = { schema_version: 1, event_id: 'mended', user_id: 'u', track_id: 't', event_type: 'like' };
    const at = { timestamp: '2025-01-08T10:00:00Z', received_at: '2025-01-08T10:00:00Z' };
    await producer.send('user_listening_history', [{ key: 'u', value: { ...listen, event_type: 'danced', ...at } }]);
    const [letter] = await until('the record was refused', async () => {
      const found = await listDeadLetters(kafka, 'user_listening_history');
      return found.length > 0 && found;
    });
    assert.equal(letter!.reason, 'unknown_event_type');
    // An older version of the product refused what today's takes.
    await producer.send('user_listening_history.dlq', [{ key: 'u', value: { ...listen, ...at } }]);
    await producer.close();
    const env = { SEGUE_KAFKA_BROKERS: kafka.brokers[0]! };
    const dlq = (command: string) =>
      execa('node', ['--import', 'tsx', 'stack/dlq-cli.ts', command, 'user_listening_history'], { env });
    assert.match((await dlq('list')).stdout, /2 refused records of user_listening_history, 2 not replayed/);
    assert.match((await dlq('replay')).stdout, /^2 records were sent to user_listening_history again/);
    await untilInTable(world.lake, listens, ['mended']);
    assert.match((await dlq('replay')).stdout, /^[01] records were sent/);
    // The one that is still wrong came back.
    assert.match((await dlq('list')).stdout, /unknown_event_type.*\(replayed\)/);
  });

  it('measures what became of a recommendation, and answers with it', async () => {
    const kafka = { brokers: [world.stack.env['SEGUE_KAFKA_BROKERS']!], clientId: 'test', logger };
    const producer = await createEventProducer(kafka);
    const answer = { schema_version: 1, event_id: 'r1', user_id: 'fan', tier: 'personal', model_version: 'm1' };
    const shown = { track_ids: ['a', 'b', 'c', 'd'], reason_types: ['trending', 'trending', 'trending', 'trending'] };
    const servedAt = new Date(Date.now() - 60_000).toISOString();
    await producer.send('music_recommendations', [{ key: 'fan', value: { ...answer, ...shown, served_at: servedAt } }]);
    await producer.close();
    const heard = await world.postListens(1, { user_id: 'fan', track_id: 'b' });
    await untilInTable(world.lake, 'bronze/recommendation_events', ['r1'], 240_000);
    await untilInTable(world.lake, listens, heard);
    const measuring = await world.client.workflow.start('measureOutcomes', { taskQueue, workflowId: 'measure' });
    assert.deepEqual(await measuring.result(), { impressions: 4, clicked: 1, skipped: 0 });
    const report = await until(
      'the API has the report',
      async () => {
        const response = await fetch(`${world.apiUrl}/pipeline/outcomes`);
        return response.status === 200 && ((await response.json()) as { items: Record<string, unknown>[] });
      },
      { timeoutMs: 60_000 },
    );
    assert.deepEqual([report.items[0]!['reason_type'], report.items[0]!['click_through_rate']], ['trending', 0.25]);
  });

  // The last one: the API's own producer knows the topic as it was.
  it('reads a topic that was made anew from its first record, though it has outgrown the checkpoint', async () => {
    const kafka = { brokers: [world.stack.env['SEGUE_KAFKA_BROKERS']!], clientId: 'test', logger };
    const name = topicNames.listens;
    const before = await readBounds(kafka, [name]);
    await remakeTopic(kafka, name);
    const at = new Date().toISOString();
    const events = Array.from({ length: 600 }, (_, index) => {
      const ids = { event_id: randomUUID(), user_id: `user-${index % 100}`, track_id: 't' };
      return { schema_version: 1, ...ids, event_type: 'like', timestamp: at, received_at: at };
    });
    const producer = await createEventProducer(kafka);
    await producer.send(
      name,
      events.map((value) => ({ key: value.user_id, value })),
    );
    await producer.close();
    const after = await readBounds(kafka, [name]);
    assert.ok(after.every(({ high }, index) => high > before[index]!.high));
    await untilInTable(
      world.lake,
      listens,
      events.map(({ event_id }) => event_id),
      120_000,
    );
    const stream = await until('the progress says so', async () => {
      const topic = (await world.progress())?.topics.find((each) => each.topic === name);
      return topic?.state === 'running' && topic.madeAnew === 1 && topic;
    });
    assert.match(stream.topicId!, /^[\w-]{22}$/);
  });
});
