import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { execa } from 'execa';
import { chromium } from 'playwright-core';
import { TokenFile } from '../../api/listenbrainz/tokens.ts';
import { readRanges } from '../../platform/kafka/ranges.ts';
import { readBounds } from '../../platform/kafka/offsets.ts';
import type { ApiProcess } from '../support/api-process.ts';
import { ask } from '../support/api-world.ts';
import { findChromium } from '../support/chromium.ts';
import { openStream } from '../support/event-stream.ts';
import { startLiveWorld, type LiveWorld } from '../support/live-world.ts';
import { until } from '../support/wait.ts';

/** Posted listens, answers and feedback over a real Kafka, and API processes that come and go. */
describe('live events', function () {
  this.timeout(60_000);
  let world: LiveWorld;
  let api: ApiProcess;
  before(async function () {
    this.timeout(240_000);
    world = await startLiveWorld();
  });
  after(() => world?.stop());
  beforeEach(async () => {
    api = await world.startApi();
  });
  afterEach(() => api?.kill());

  async function restart(): Promise<void> {
    await api.stop();
    api = await world.startApi();
  }

  async function listen(user: string, track = 't1'): Promise<string> {
    const body = { event_id: randomUUID(), user_id: user, track_id: track, event_type: 'complete_listen' };
    const answer = await ask(api, '/ingest/listening-event', { method: 'POST', token: world.token, body });
    assert.equal(answer.status, 202, `${JSON.stringify(answer.body)}\n${api.log()}`);
    return body.event_id;
  }

  async function recommended(user: string, from = api): Promise<string[]> {
    const { body } = await ask(from, `/recommendations/${user}`);
    return (body['items'] as { track_id: string }[]).map((item) => item.track_id);
  }

  function eventIds(stream: Awaited<ReturnType<typeof openStream>>): string[] {
    return stream.events().map(({ data }) => (JSON.parse(data) as { event_id: string }).event_id);
  }

  it('reach whoever watches, and an answer’s event carries the id of the answer', async () => {
    const stream = await openStream(`${api.url}/events/stream`);
    const posted = await listen('anna');
    const { body } = await ask(api, '/recommendations/1');
    await until('both are there', () => stream.events().length === 2);
    assert.deepEqual(new Set(eventIds(stream)), new Set([posted, body['recommendation_id']]));
    stream.close();
  });

  it('are sent to a client that returns after the API was started anew, each once, by position or by the last event', async () => {
    const stream = await openStream(`${api.url}/events/stream?types=listen`);
    const seen: string[] = [];
    for (let user = 0; user < 10; user++) seen.push(await listen(`user-${user}`));
    await until('all are there', () => stream.events().length === 10);
    const lastEvent = stream.events().at(-1)!.id;
    const position = stream.lastId();
    stream.close();
    const missed: string[] = [];
    for (let user = 0; user < 10; user++) missed.push(await listen(`user-${user}`));
    await restart();
    const byPosition = await openStream(`${api.url}/events/stream?types=listen`, { 'last-event-id': position });
    const next = await listen('user-3');
    await until('all that was missed is there', () => byPosition.events().length >= 11);
    assert.deepEqual(eventIds(byPosition).toSorted(), [...missed, next].toSorted());
    byPosition.close();
    // One record says nothing of the other partitions: there, some of before may come again, but nothing is missing.
    const byEvent = await openStream(`${api.url}/events/stream?types=listen`, { 'last-event-id': lastEvent });
    await until('all that was missed is there', () => [...missed, next].every((id) => eventIds(byEvent).includes(id)));
    assert.equal(new Set(eventIds(byEvent)).size, byEvent.events().length);
    assert.ok(!byEvent.text().includes('event: gap'));
    byEvent.close();
  });

  it('are read again from Kafka for a client that missed more than a process remembers', async () => {
    const start = (await readBounds(world.kafka, ['user_listening_history'])).map(
      ({ partition, high }) => `${partition}:${high}`,
    );
    const others = (await readBounds(world.kafka, ['music_recommendations', 'pipeline_events'])).map(
      ({ topic, partition, high }) => ({ topic, entry: `${partition}:${high}` }),
    );
    const position = `@user_listening_history=${start.join(',')};${['music_recommendations', 'pipeline_events']
      .map((topic) => `${topic}=${others.flatMap((other) => (other.topic === topic ? other.entry : [])).join(',')}`)
      .join(';')}`;
    // One user, one partition: 3,000 listens there are more than the 1,000 that are remembered after a start.
    const ids = Array.from({ length: 3_000 }, () => randomUUID());
    for (let at = 0; at < ids.length; at += 1_000) {
      const body = ids
        .slice(at, at + 1_000)
        .map((event_id) => ({ event_id, user_id: 'busy', track_id: 't1', event_type: 'skip' }));
      const { status } = await ask(api, '/ingest/listening-event', { method: 'POST', token: world.token, body });
      assert.equal(status, 202);
    }
    await restart();
    const stream = await openStream(`${api.url}/events/stream`, { 'last-event-id': position });
    await until('all are there', () => stream.events().length >= ids.length);
    assert.deepEqual(eventIds(stream), ids);
    stream.close();
  });

  it('are told to be missing when Kafka does not hold them', async () => {
    const stream = await openStream(`${api.url}/events/stream`, {
      'last-event-id': 'user_listening_history-0-99999999',
    });
    await until('the gap is told', () => stream.text().includes('event: gap'));
    stream.close();
  });

  it('change the next answer of every process, also of one that is started later', async () => {
    const port = String(world.stack.ports.workerMetrics);
    const other = await world.startApi({ SEGUE_API_PORT: port });
    try {
      assert.deepEqual(await recommended('1'), ['t1', 't2']);
      const body = { user_id: '1', track_id: 't1', feedback: 'hide' };
      const { status } = await ask(api, '/feedback', { method: 'POST', token: world.token, body });
      assert.equal(status, 202);
      assert.deepEqual(await recommended('1'), ['t2']);
      await until('the other process knows', async () => (await recommended('1', other)).join() === 't2');
      await listen('1', 't2');
      assert.deepEqual(await recommended('1'), []);
      await until('the other process knows', async () => (await recommended('1', other)).length === 0);
    } finally {
      await other.kill();
    }
    await restart();
    assert.deepEqual(await recommended('1'), []);
    const { body } = await ask(api, '/users/1/history');
    assert.deepEqual(
      (body['items'] as { track_id: string }[]).map((item) => item.track_id),
      ['t2'],
    );
  });

  it('come from a scrobbler through ListenBrainz’s own client, which reads its recommendations back', async () => {
    const tokens = new TokenFile(world.stack.env['SEGUE_SECRETS_DIR'] + '/listener_tokens.json');
    const token = await tokens.create('2', new Date());
    await tokens.create('newcomer', new Date());
    const from = await readBounds(world.kafka, ['user_listening_history']);
    const { python } = world.stack.installed;
    const { stdout } = await execa(python, ['test/support/scrobble.py', api.url, token, '2']);
    const said = JSON.parse(stdout) as Record<string, unknown> & { recommendations: { mbids: object[] } };
    // 9 imports of 100, 100 singles, 1 playing_now.
    assert.deepEqual(
      [said['ok'], said['refused'], said['unknown'], said['none_yet']],
      [110, 'invalid token', 404, null],
    );
    assert.deepEqual(said.recommendations.mbids, [{ recording_mbid: 't3', score: 0.7, latest_listened_at: null }]);
    assert.ok(Number(said['remaining']) > 0);
    const to = await readBounds(world.kafka, ['user_listening_history']);
    const ranges = from.map(({ topic, partition, high }, index) => ({
      topic,
      partition,
      offset: high,
      end: to[index]!.high,
    }));
    const ids: string[] = [];
    await readRanges(
      world.kafka,
      ranges,
      ({ records }) =>
        void ids.push(...records.map(({ value }) => (JSON.parse(value!) as { event_id: string }).event_id)),
      20_000,
    );
    assert.deepEqual([ids.length, new Set(ids).size], [1_000, 1_000]);
  });

  it('reach a browser’s EventSource, which misses nothing over a restart of the API', async () => {
    const executablePath = await findChromium();
    assert.ok(executablePath, 'no Chromium: install one, or set SEGUE_CHROMIUM to its path');
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
    try {
      const page = await browser.newPage();
      await page.goto(`${api.url}/livez`);
      await page.evaluate(`
        window.seen = [];
        window.gaps = 0;
        window.opened = 0;
        const source = new EventSource('/events/stream?types=listen');
        source.onopen = () => window.opened++;
        source.addEventListener('listen', (event) => window.seen.push(JSON.parse(event.data).event_id));
        source.addEventListener('gap', () => window.gaps++);
      `);
      const seen = () => page.evaluate<string[]>('window.seen');
      await until('the browser is connected', () => page.evaluate<boolean>('window.opened === 1'));
      const posted = [await listen('eva'), await listen('adam')];
      await until('the browser has both', async () => (await seen()).length === 2);
      const other = await world.startApi({ SEGUE_API_PORT: String(world.stack.ports.workerMetrics) });
      await api.stop();
      // Posted to another process while the browser's own is away.
      const away = api;
      api = other;
      for (const user of ['eva', 'adam', 'lilith']) posted.push(await listen(user));
      await other.stop();
      assert.notEqual(away.pid, other.pid);
      api = await world.startApi();
      posted.push(await listen('eva'));
      await until('the browser has all', async () => (await seen()).length >= posted.length);
      assert.deepEqual((await seen()).toSorted(), posted.toSorted());
      assert.deepEqual(await page.evaluate<number>('window.gaps'), 0);
    } finally {
      await browser.close();
    }
  });
});
