import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { streamEventsId } from '../../contracts/ids.ts';
import { lake } from '../../contracts/lake.ts';
import { readBounds } from '../../platform/kafka/offsets.ts';
import { listDeadLetters } from '../../platform/kafka/dead-letters.ts';
import { createLogger } from '../../platform/logger.ts';
import { openStream } from '../support/event-stream.ts';
import { codecs, remakeTopic, startGuest } from '../support/guest.ts';
import { descendants, isRunning, type ProcessInfo } from '../support/processes.ts';
import { readStreamTable, startStreamWorld, untilInTable, type StreamWorld } from '../support/stream-world.ts';
import { until } from '../support/wait.ts';

const minutes = 60_000;
const listens = 'bronze/listening_events_stream';

/** Live events while processes are killed: every listen that was accepted is in the table, once. */
describe('the streams under fire', function () {
  this.timeout(6 * minutes);
  let world: StreamWorld;
  before(async () => {
    world = await startStreamWorld({}, { patience: { firstBackOffMs: 30_000, longestBackOffMs: 30_000 } });
    await world.startStreams();
    await untilInTable(world.lake, listens, await world.postListens(1), 4 * minutes);
  });
  after(() => world?.stop());

  it('has each record of a guest once, in whatever codec, and none of an aborted transaction, in the lake and on the event stream', async () => {
    const guest = await startGuest(world.stack.env['SEGUE_KAFKA_BROKERS']!);
    const stream = await openStream(`${world.apiUrl}/events/stream?types=listen`);
    const load = startLoad(world);
    const sent: string[] = [];
    const dropped: string[] = [];
    for (let round = 0; round < 5; round++) {
      for (const codec of codecs) {
        const topic = 'user_listening_history';
        const [plain, committed, aborted] = [guestListens(), guestListens(), guestListens()];
        await guest.send({ topic, codec, records: plain });
        await guest.abort({ topic, codec, records: aborted });
        await guest.commit({ topic, codec, records: committed });
        sent.push(...[...plain, ...committed].map(({ id }) => id));
        dropped.push(...aborted.map(({ id }) => id));
      }
    }
    const accepted = await load.stop();
    await guest.stop();
    assert.ok(accepted.length > 0);
    const all = [...accepted, ...sent];
    await everyOneOnce(world, all);
    const { values } = (await readStreamTable(world.lake, listens))!;
    await until('the stream has all', () => stream.events().length >= all.length);
    const told = stream.events().map(({ data }) => (JSON.parse(data) as { event_id: string }).event_id);
    stream.close();
    assert.deepEqual(told.toSorted(), all.toSorted());
    assert.deepEqual(
      dropped.filter((id) => values[id] !== undefined),
      [],
    );
  });

  it('loses and doubles nothing when Kafka is killed under load and back after 30 s', async () => {
    const load = startLoad(world);
    await load.untilAccepted(500);
    world.stack.kill('kafka');
    await until('posts are refused', () => load.refused() > 0);
    const before = load.accepted().length;
    await load.untilAccepted(before + 500, 3 * minutes);
    await everyOneOnce(world, await load.stop());
  });

  it('loses and doubles nothing when the streaming driver is killed under load', async () => {
    const load = startLoad(world);
    await load.untilAccepted(500);
    const [python] = driverOf(world);
    process.kill(python!.pid, 'SIGKILL');
    await until('another driver runs', () => driverOf(world).some(({ pid }) => pid !== python!.pid), {
      timeoutMs: minutes,
    });
    await load.untilAccepted(load.accepted().length + 500);
    await everyOneOnce(world, await load.stop());
  });

  it('loses and doubles nothing when the JVM of the driver is killed under load', async () => {
    const load = startLoad(world);
    await load.untilAccepted(500);
    const jvm = driverOf(world).find(({ command }) => command.includes('java'));
    process.kill(jvm!.pid, 'SIGKILL');
    await load.untilAccepted(load.accepted().length + 500);
    await everyOneOnce(world, await load.stop());
  });

  it('loses and doubles nothing when the worker is killed under load, and leaves no driver behind', async () => {
    const load = startLoad(world);
    await load.untilAccepted(500);
    const driver = driverOf(world);
    assert.ok(driver.length >= 2);
    world.stack.kill('worker');
    await until('the driver has ended with it', () => driver.every(({ pid }) => !isRunning(pid)));
    await until('a new driver runs', () => driverOf(world).length >= 2, { timeoutMs: 3 * minutes });
    await load.untilAccepted(load.accepted().length + 500);
    await everyOneOnce(world, await load.stop());
  });

  it('goes on past a poisoned record, which is kept with its reason', async () => {
    const load = startLoad(world);
    await poison(world, ['{"schema_version": 1, "event_id":', '\u0000\u0001', 'null']);
    await load.untilAccepted(200);
    await everyOneOnce(world, await load.stop());
    const letters = await until('the dead letters are there', async () => {
      const found = await listDeadLetters(kafkaOf(world), 'user_listening_history');
      return new Set(found.map(({ place }) => place)).size === 3 && found;
    });
    for (const { reason } of letters) assert.match(reason, /^(unreadable|schema_version)/);
  });

  it('goes on from what the table holds when the checkpoint is gone', async () => {
    const handle = world.client.workflow.getHandle(streamEventsId);
    await handle.cancel();
    await assert.rejects(handle.result(), WorkflowFailedError);
    const before = await readStreamTable(world.lake, listens);
    await emptyFolder(world, '_checkpoints/');
    const ids = await world.postListens(10);
    await world.startStreams();
    const found = await untilInTable(world.lake, listens, ids, 240_000);
    assert.deepEqual([found.rows, found.doubled], [before!.rows + 10, 0]);
  });

  it('reads all of a topic that was made anew while no driver ran, and has outgrown the checkpoint', async () => {
    const handle = world.client.workflow.getHandle(streamEventsId);
    const topic = 'user_listening_history';
    await handle.cancel();
    await assert.rejects(handle.result(), WorkflowFailedError);
    const [old] = (await readBounds(kafkaOf(world), [topic])).toSorted((one, other) => other.high - one.high);
    await remakeTopic(kafkaOf(world), topic);
    const guest = await startGuest(kafkaOf(world).brokers[0]!);
    const ids: string[] = [];
    while ((await readBounds(kafkaOf(world), [topic])).some(({ high }) => high <= old!.high)) {
      const records = Array.from({ length: 100 }, guestListens).flat();
      await guest.send({ topic, codec: 'zstd', records });
      ids.push(...records.map(({ id }) => id));
    }
    await guest.stop();
    await world.startStreams();
    const found = await untilInTable(world.lake, listens, ids, 240_000);
    assert.deepEqual(
      ids.filter((id) => found.values[id] !== 1),
      [],
    );
  });
});

interface Load {
  accepted(): readonly string[];
  refused(): number;
  untilAccepted(count: number, timeoutMs?: number): Promise<unknown>;
  /** Ends the load; answers the ids of every listen that was accepted. */
  stop(): Promise<readonly string[]>;
}

/** Ten listens of users of their own, so that they lie in several partitions. */
function guestListens() {
  return Array.from({ length: 10 }, () => {
    const id = randomUUID();
    const at = new Date().toISOString();
    const event = { schema_version: 1, event_id: id, user_id: id, track_id: '10001', event_type: 'like' };
    return { id, key: id, value: JSON.stringify({ ...event, timestamp: at, received_at: at }) };
  });
}

/** Posts 20 listens ten times a second, whatever happens. */
function startLoad(world: StreamWorld): Load {
  const accepted: string[] = [];
  const posts = new Set<Promise<void>>();
  let refused = 0;
  const timer = setInterval(() => {
    const post = world
      .postListens(20)
      .then((ids) => void accepted.push(...ids))
      .catch(() => void refused++)
      .finally(() => posts.delete(post));
    posts.add(post);
  }, 100);
  return {
    accepted: () => accepted,
    refused: () => refused,
    untilAccepted: (count, timeoutMs = minutes) =>
      until(`${count} listens are accepted`, () => accepted.length >= count, { timeoutMs }),
    async stop() {
      clearInterval(timer);
      await Promise.allSettled(posts);
      return accepted;
    },
  };
}

/** Every accepted id is in the table exactly once, and no record is there twice. */
async function everyOneOnce(world: StreamWorld, accepted: readonly string[]): Promise<void> {
  await untilInTable(world.lake, listens, accepted, 4 * minutes);
  const found = await readStreamTable(world.lake, listens);
  const notOnce = accepted.filter((id) => found?.values[id] !== 1);
  assert.deepEqual([notOnce, found?.doubled], [[], 0]);
}

/** The Python process of the streaming driver and what it started. */
function driverOf(world: StreamWorld): readonly ProcessInfo[] {
  const worker = world.stack.status().find(({ name }) => name === 'worker')?.pid;
  if (worker === undefined) return [];
  return descendants(worker).filter(({ command }) => command.includes('stream_events.py') || command.includes('java'));
}

async function poison(world: StreamWorld, values: readonly string[]): Promise<void> {
  const kafka = new Kafka({ brokers: kafkaOf(world).brokers.slice(), logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({
    topic: 'user_listening_history',
    messages: values.map((value) => ({ key: randomUUID(), value })),
  });
  await producer.disconnect();
}

function kafkaOf(world: StreamWorld) {
  return {
    brokers: [world.stack.env['SEGUE_KAFKA_BROKERS']!],
    clientId: 'segue-faults',
    logger: createLogger({ name: 'segue-faults', level: 'silent' }),
  };
}

async function emptyFolder({ store }: StreamWorld, prefix: string): Promise<void> {
  for (const key of await store.list(lake.buckets.data, prefix)) await store.remove(lake.buckets.data, key);
}
