import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { topicNames } from '../../contracts/topics.ts';
import { readRanges } from '../../platform/kafka/ranges.ts';
import { readBounds, type PartitionBounds } from '../../platform/kafka/offsets.ts';
import { loadEvenly } from '../../bench/support/http-load.ts';
import type { ApiProcess } from '../support/api-process.ts';
import { ask } from '../support/api-world.ts';
import { openStream } from '../support/event-stream.ts';
import { startLiveWorld, type LiveWorld } from '../support/live-world.ts';
import { until } from '../support/wait.ts';

const awayMs = 30_000;

/** What breaks under the API's side of live events, and what is left of the events afterwards. */
describe('live events, when things break', function () {
  this.timeout(300_000);
  let world: LiveWorld;
  let api: ApiProcess;
  before(async () => {
    world = await startLiveWorld();
  });
  after(() => world?.stop());
  afterEach(() => api?.kill());

  function kafkaPid(): number | undefined {
    return world.stack.status().find(({ name }) => name === 'kafka')?.pid;
  }

  /** Stops Kafka where it stands: it takes connections and answers nothing. */
  function freezeKafka(): () => void {
    const pid = kafkaPid()!;
    process.kill(pid, 'SIGSTOP');
    return () => void process.kill(pid, 'SIGCONT');
  }

  /** kill -9; the supervisor starts it again at once, but it may answer only after so long. */
  async function crashKafka(ms: number): Promise<void> {
    const backAt = performance.now() + ms;
    const before = kafkaPid();
    world.stack.kill('kafka');
    await until('Kafka is started again', () => kafkaPid() !== undefined && kafkaPid() !== before, { everyMs: 20 });
    const thaw = freezeKafka();
    await sleep(backAt - performance.now());
    thaw();
  }

  /** The event ids on a topic since then, in order by partition. */
  async function eventIds(topic: string, since: readonly PartitionBounds[]): Promise<string[]> {
    const now = await readBounds(world.kafka, [topic]);
    const ids: string[] = [];
    const ranges = now.map(({ partition, high }, index) => ({
      topic,
      partition,
      offset: since[index]!.high,
      end: high,
    }));
    await readRanges(
      world.kafka,
      ranges,
      ({ records }) =>
        void ids.push(...records.map(({ value }) => (JSON.parse(value!) as { event_id: string }).event_id)),
      30_000,
    );
    return ids;
  }

  async function metric(name: string): Promise<number> {
    const text = await (await fetch(`${api.url}/metrics`)).text();
    return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
  }

  async function askOften(count: number): Promise<string[]> {
    const ids: string[] = [];
    for (let request = 0; request < count; request++) {
      const { status, body } = await ask(api, `/recommendations/${request % 7}`);
      assert.equal(status, 200);
      ids.push(body['recommendation_id'] as string);
    }
    return ids;
  }

  it('answers as fast as ever while Kafka is killed and away for 30 s, and loses no event of an answer', async () => {
    api = await world.startApi();
    const since = await readBounds(world.kafka, [topicNames.recommendations]);
    const crash = sleep(3_000).then(() => crashKafka(awayMs));
    const load = await loadEvenly((request) => `${api.url}/recommendations/${request % 7}`, {
      perSecond: 100,
      seconds: 3 + awayMs / 1000,
    });
    await crash;
    console.log(`      ${JSON.stringify(load)}`);
    assert.equal(load.failures, 0);
    // Two milliseconds each where the machine has nothing else to do; Kafka's own start takes both of two cores.
    assert.ok(load.p50Ms < 50 && load.p99Ms < 500, `p50 ${load.p50Ms} ms, p99 ${load.p99Ms} ms`);
    await until('all are sent', async () => (await metric('segue_recommendation_events_sent_total')) >= load.requests, {
      timeoutMs: 60_000,
      everyMs: 500,
    });
    const ids = await eventIds(topicNames.recommendations, since);
    assert.deepEqual([ids.length, new Set(ids).size], [load.requests, load.requests]);
    assert.equal(await metric('segue_recommendation_events_dropped_total'), 0);
  });

  it('has every accepted listen once, though Kafka was killed under the posts', async () => {
    api = await world.startApi();
    const since = await readBounds(world.kafka, [topicNames.listens]);
    const accepted: string[] = [];
    const load = { isOver: false };
    const post = async (): Promise<void> => {
      while (!load.isOver) {
        const event_id = randomUUID();
        const body = { event_id, user_id: event_id.slice(0, 2), track_id: 't1', event_type: 'skip' };
        const { status } = await ask(api, '/ingest/listening-event', { method: 'POST', token: world.token, body });
        if (status === 202) accepted.push(event_id);
        else await sleep(50);
      }
    };
    const posts = Array.from({ length: 10 }, post);
    await sleep(2_000);
    const before = accepted.length;
    await crashKafka(5_000);
    await until('posts are accepted again', () => accepted.length > before + 100, { timeoutMs: 60_000 });
    load.isOver = true;
    await Promise.all(posts);
    await sleep(1_000);
    const ids = await eventIds(topicNames.listens, since);
    const counts = new Map<string, number>();
    for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
    assert.deepEqual(
      accepted.filter((id) => counts.get(id) !== 1),
      [],
    );
  });

  it('keeps what it may keep when disk and memory are full, and counts and tells every drop', async () => {
    api = await world.startApi({ SEGUE_API_SPOOL_LIMIT_BYTES: '20000', SEGUE_API_OUTBOX_LIMIT: '50' });
    const since = await readBounds(world.kafka, [topicNames.recommendations]);
    await askOften(1);
    await until('it is sent', async () => (await metric('segue_recommendation_events_sent_total')) === 1);
    const thaw = freezeKafka();
    const ids = await askOften(10);
    // Time enough to notice that Kafka is away.
    await sleep(1_500);
    ids.push(...(await askOften(390)));
    const dropped = await metric('segue_recommendation_events_dropped_total');
    assert.ok(dropped > 200, `${dropped} dropped`);
    assert.ok((await metric('segue_recommendation_events_spooled_bytes')) <= 20_000);
    thaw();
    await until(
      'the rest is sent',
      async () => (await metric('segue_recommendation_events_sent_total')) === 401 - dropped,
      { timeoutMs: 60_000, everyMs: 200 },
    );
    const found = await eventIds(topicNames.recommendations, since);
    assert.equal(new Set(found).size, 401 - dropped);
    assert.match(api.log(), /events were dropped/);
  });

  it('gives a process that follows a killed one the events that waited on disk', async () => {
    api = await world.startApi();
    const since = await readBounds(world.kafka, [topicNames.recommendations]);
    const thaw = freezeKafka();
    const ids = await askOften(200);
    await sleep(2_000);
    await api.kill();
    thaw();
    api = await world.startApi();
    await until('they are sent', async () => (await metric('segue_recommendation_events_sent_total')) >= 200, {
      timeoutMs: 60_000,
    });
    const found = new Set(await eventIds(topicNames.recommendations, since));
    assert.deepEqual(
      ids.filter((id) => !found.has(id)),
      [],
    );
  });

  it('has every listen that was accepted before and after the API was killed under load', async () => {
    api = await world.startApi();
    const since = await readBounds(world.kafka, [topicNames.listens]);
    const accepted: string[] = [];
    const load = { isOver: false };
    const post = async (): Promise<void> => {
      while (!load.isOver) {
        const event_id = randomUUID();
        const body = { event_id, user_id: '1', track_id: 't1', event_type: 'skip' };
        const request = { method: 'POST', token: world.token, body };
        const answer = await ask(api, '/ingest/listening-event', request).catch(() => undefined);
        if (answer?.status === 202) accepted.push(event_id);
        else await sleep(50);
      }
    };
    const posts = Array.from({ length: 10 }, post);
    await sleep(1_500);
    const before = accepted.length;
    assert.ok(before > 0);
    await api.kill();
    api = await world.startApi();
    await until('posts are accepted again', () => accepted.length > before + 100);
    load.isOver = true;
    await Promise.all(posts);
    const ids = await eventIds(topicNames.listens, since);
    const counts = new Map<string, number>();
    for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
    assert.deepEqual(
      accepted.filter((id) => counts.get(id) !== 1),
      [],
    );
  });

  it('drops a watcher that stops reading, counts it, and tells the others everything', async () => {
    api = await world.startApi();
    const reader = await openStream(`${api.url}/events/stream?types=listen`);
    const sleeper = get(`${api.url}/events/stream`, { agent: false }, (response) => response.pause());
    sleeper.on('error', () => undefined);
    await until('both watch', async () => (await metric('segue_event_stream_clients')) === 2);
    let posted = 0;
    while ((await metric('segue_event_stream_clients_dropped_total')) === 0) {
      assert.ok(posted < 200_000, 'the sleeper is still there');
      const body = Array.from({ length: 1_000 }, () => ({
        event_id: randomUUID(),
        user_id: 'a'.repeat(150),
        track_id: 't'.repeat(150),
        event_type: 'skip',
      }));
      const { status } = await ask(api, '/ingest/listening-event', { method: 'POST', token: world.token, body });
      assert.equal(status, 202);
      posted += body.length;
      await until('the reader has all', () => reader.arrivals().size === posted);
    }
    assert.equal(await metric('segue_event_stream_clients'), 1);
    reader.close();
    sleeper.destroy();
  });
});
