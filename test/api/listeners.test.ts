import assert from 'node:assert/strict';
import { ListenerView, rememberedPlays } from '../../api/listeners/view.ts';
import type { FeedbackEvent, ListeningEvent } from '../../contracts/schemas/events.ts';
import { ask, startApi, testToken, type ApiWorld } from '../support/api-world.ts';
import { publishSnapshot } from '../support/snapshots.ts';

const token = testToken;

describe('feedback and the last plays', () => {
  let api: ApiWorld;
  beforeEach(async () => {
    api = await startApi();
    await publishSnapshot(api.store, 'als-1');
    await api.snapshots.check();
  });
  afterEach(() => api.stop());

  async function recommended(user = '1'): Promise<string[]> {
    const { body } = await ask(api, `/recommendations/${user}`);
    return (body['items'] as { track_id: string }[]).map((item) => item.track_id);
  }

  async function say(feedback: string, track_id = 't1', until?: string) {
    return ask(api, '/feedback', { method: 'POST', token, body: { user_id: '1', track_id, feedback, until } });
  }

  it('leaves out what was hidden or hated from the very next answer, and keeps what was loved', async () => {
    assert.deepEqual(await recommended(), ['t1', 't2']);
    assert.equal((await say('hide')).status, 202);
    assert.deepEqual(await recommended(), ['t2']);
    await say('hate', 't2');
    assert.deepEqual(await recommended(), []);
    await say('love', 't1');
    assert.deepEqual(await recommended(), ['t1']);
    assert.deepEqual(await recommended('2'), ['t3']);
  });

  it('keeps feedback on a topic that keeps the newest of each user and track', async () => {
    const { body } = await say('hide', 't1', '2025-02-01T00:00:00+01:00');
    const [{ topic, event }] = api.kafka.sent as unknown as [
      { topic: string; event: { key: string; value: FeedbackEvent } },
    ];
    assert.deepEqual([topic, event.key], ['user_feedback', '["1","t1"]']);
    assert.deepEqual(event.value, {
      schema_version: 1,
      event_id: body['event_id'],
      user_id: '1',
      track_id: 't1',
      feedback: 'hide',
      until: '2025-01-31T23:00:00.000Z',
      at: '2025-01-02T03:04:05.000Z',
    });
  });

  it('lets feedback end at its time', async () => {
    await say('hide', 't1', '2025-01-02T03:04:05Z');
    assert.deepEqual(await recommended(), ['t1', 't2']);
    await say('hide', 't1', '2025-01-02T03:04:06Z');
    assert.deepEqual(await recommended(), ['t2']);
  });

  it('takes a time that lies ahead in every form of the grammar, and none that no calendar or table can hold', async () => {
    assert.equal((await say('hide', 't1', '2026-05-01 00:00+02')).status, 202);
    const value = api.kafka.sent.at(-1)!.event.value as { until: string };
    assert.equal(value.until, '2026-04-30T22:00:00.000Z');
    for (const until of ['0001-01-01T00:00:00Z', '9999-12-31T23:59:59-18:00', '2025-01-07', '2025-02-30T00:00Z']) {
      const { status, body } = await say('hide', 't1', until);
      assert.deepEqual([status, (body['errors'] as { field: string }[])[0]?.field], [400, 'until'], until);
    }
    assert.equal((await say('hide', 't1', '9999-12-31T23:59:59Z')).status, 202);
  });

  it('takes feedback only when Kafka has it', async () => {
    api.kafka.isConnected = false;
    const { status, body, headers } = await say('hide');
    assert.deepEqual([status, body['code'], headers.get('retry-after')], [503, 'kafka_away', '5']);
    assert.deepEqual(await recommended(), ['t1', 't2']);
  });

  it('answers a forgotten user as an unknown one, and keeps nothing of what they say', async () => {
    const view = new ListenerView(
      () => new Date('2025-01-02T03:04:05Z'),
      (user) => user === '42',
    );
    const world = await startApi({ view });
    try {
      const answers = [];
      for (const user_id of ['42', '43']) {
        const body = { user_id, track_id: 't1', feedback: 'hide' };
        answers.push(await ask(world, '/feedback', { method: 'POST', token, body }));
      }
      const [forgotten, unknown] = answers.map(({ status, body }) => [status, body['accepted'], Object.keys(body)]);
      assert.deepEqual(forgotten, unknown);
      assert.deepEqual(
        world.kafka.sent.map(({ event }) => event.key),
        ['["43","t1"]'],
      );
      assert.equal(view.knows('42'), false);
    } finally {
      await world.stop();
    }
  });

  it('lists every bad field, and asks for a token', async () => {
    const body = { user_id: '', track_id: 't1', feedback: 'adore', until: 'soon', more: 1 };
    const refused = await ask(api, '/feedback', { method: 'POST', token, body });
    const fields = (refused.body['errors'] as { field: string }[]).map(({ field }) => field);
    assert.deepEqual(fields.toSorted(), ['(body)', 'feedback', 'until', 'user_id']);
    assert.equal((await ask(api, '/feedback', { method: 'POST', body })).status, 401);
    assert.equal((await ask(api, '/feedback')).status, 405);
  });

  it('leaves out what was just heard, and shows it in the history', async () => {
    const listen = { event_id: 'e1', user_id: '1', track_id: 't1', event_type: 'complete_listen' };
    await ask(api, '/ingest/listening-event', { method: 'POST', token, body: [listen, listen] });
    assert.deepEqual(await recommended(), ['t2']);
    await say('love');
    const { status, body } = await ask(api, '/users/1/history');
    assert.equal(status, 200);
    assert.deepEqual(body, {
      user_id: '1',
      items: [
        {
          track_id: 't1',
          title: 'Café del Mar',
          artist_name: 'Renée',
          genre: 'ambient',
          event_type: 'complete_listen',
          timestamp: '2025-01-02T03:04:05.000Z',
          feedback: 'love',
        },
      ],
    });
  });

  it('has the lake’s plays behind the live ones, each once', async () => {
    for (const [event_id, track_id] of [
      ['past-2', 't2'],
      ['live-1', 't3'],
    ]) {
      const body = { event_id, track_id, user_id: '2', event_type: 'like', timestamp: '2025-01-01T20:00:00Z' };
      await ask(api, '/ingest/listening-event', { method: 'POST', token, body });
    }
    const { body } = await ask(api, '/users/2/history');
    assert.deepEqual(
      (body['items'] as { track_id: string }[]).map((item) => item.track_id),
      ['t3', 't2', 't1'],
    );
    const { body: shorter } = await ask(api, '/users/2/history?limit=1');
    assert.equal((shorter['items'] as object[]).length, 1);
  });

  it('has an empty history for a user who played nothing lately, and 404 for one that nobody knows', async () => {
    assert.deepEqual((await ask(api, '/users/1/history')).body, { user_id: '1', items: [] });
    const { status, body } = await ask(api, '/users/nobody/history');
    assert.deepEqual([status, body['code']], [404, 'unknown_user']);
    assert.equal((await ask(api, '/users/1/history?limit=0')).status, 400);
  });

  it('is ready once it knows what lies in Kafka, or has waited long enough for it', async () => {
    const waiting = await startApi({ feed: { isViewRebuilt: false }, settings: { viewTimeoutMs: 60_000 } });
    const waited = await startApi({ feed: { isViewRebuilt: false }, settings: { viewTimeoutMs: 0 } });
    for (const [world, expected] of [
      [waiting, 503],
      [waited, 200],
    ] as const) {
      await publishSnapshot(world.store, 'als-1');
      await world.snapshots.check();
      assert.equal((await ask(world, '/readyz')).status, expected);
      await world.stop();
    }
  });
});

describe('the view of listeners', () => {
  const now = new Date('2025-01-02T12:00:00Z');

  function listen(overrides: Partial<ListeningEvent>): ListeningEvent {
    return {
      schema_version: 1,
      event_id: 'e',
      user_id: '1',
      track_id: 't',
      event_type: 'complete_listen',
      timestamp: '2025-01-02T11:00:00Z',
      received_at: '2025-01-02T11:00:00Z',
      ...overrides,
    };
  }

  function feedback(overrides: Partial<FeedbackEvent>): FeedbackEvent {
    const event = { schema_version: 1, event_id: 'f', user_id: '1', track_id: 't', feedback: 'hide' } as const;
    return { ...event, at: '2025-01-02T11:00:00Z', ...overrides };
  }

  it('remembers the last plays by the time they were played, in whatever order they come', () => {
    const view = new ListenerView(() => now);
    const minute = (index: number): string => new Date(Date.UTC(2025, 0, 2, 10, index % 60)).toISOString();
    for (let index = 0; index < rememberedPlays + 5; index++) {
      view.takeListen(listen({ event_id: `e${index}`, track_id: `t${index}`, timestamp: minute((index * 7) % 55) }));
    }
    const plays = view.plays('1')!;
    assert.equal(plays.length, rememberedPlays);
    assert.deepEqual(
      plays.map((play) => play.timestamp),
      Array.from({ length: rememberedPlays }, (_, index) => minute(54 - index)),
    );
  });

  it('leaves a track in again a day after it was heard', () => {
    const view = new ListenerView(() => now);
    view.takeListen(listen({ event_id: 'old', track_id: 'old', received_at: '2025-01-01T11:59:00Z' }));
    view.takeListen(listen({ event_id: 'new', track_id: 'new', received_at: '2025-01-01T12:01:00Z' }));
    const isExcluded = view.exclusionsOf('1');
    assert.deepEqual([isExcluded('old'), isExcluded('new'), isExcluded('other')], [false, true, false]);
  });

  it('holds the newest feedback, though an older one comes later', () => {
    const view = new ListenerView(() => now);
    view.takeFeedback(feedback({ feedback: 'love', at: '2025-01-02T11:30:00Z' }));
    view.takeFeedback(feedback({ feedback: 'hate', at: '2025-01-02T11:00:00Z' }));
    assert.equal(view.feedbackOn('1', 't')?.feedback, 'love');
  });

  it('takes no event of another producer whose times lie where none can', () => {
    const view = new ListenerView(() => now);
    for (const time of ['9999-12-31T23:59:59Z', '2025-01-02T13:00:01Z', '2002-09-30T23:59:59Z']) {
      view.takeListen(listen({ event_id: time, timestamp: time }));
      view.takeFeedback(feedback({ at: time }));
    }
    view.takeListen(listen({ received_at: '2099-01-01T00:00:00Z' }));
    assert.deepEqual(view.size, { listeners: 0, feedback: 0 });
    view.takeListen(listen({ timestamp: '2025-01-02T12:30+00' }));
    assert.equal(view.plays('1')?.[0]?.playedAtMs, Date.UTC(2025, 0, 2, 12, 30));
  });

  it('forgets a listener, and feedback whose record was deleted', () => {
    const view = new ListenerView(() => now);
    view.takeListen(listen({}));
    view.takeFeedback(feedback({}));
    view.takeFeedback(feedback({ user_id: '2' }));
    view.dropFeedback('2', 't');
    view.forget('1');
    assert.deepEqual([view.knows('1'), view.knows('2'), view.size.feedback], [false, false, 0]);
  });
});
