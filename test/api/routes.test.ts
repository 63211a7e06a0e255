import assert from 'node:assert/strict';
import { ask, startApi, testToken as token, type ApiWorld } from '../support/api-world.ts';
import { publishSnapshot } from '../support/snapshots.ts';

const listen = { user_id: '1', track_id: 't1', event_type: 'complete_listen' };

describe('the API', () => {
  let api: ApiWorld;
  beforeEach(async () => {
    api = await startApi();
    await publishSnapshot(api.store, 'als-1');
    await api.snapshots.check();
  });
  afterEach(() => api.stop());

  it('answers a known user with their tracks, best first, each with a reason to read', async () => {
    const { status, body } = await ask(api, '/recommendations/1');
    assert.equal(status, 200);
    const { recommendation_id: id, ...answer } = body;
    assert.equal(id, (api.served[0]!.value as Record<string, unknown>)['event_id']);
    assert.deepEqual(answer, {
      user_id: '1',
      tier: 'personal',
      model_version: 'als-1',
      generated_at: '2025-01-01T00:00:00Z',
      items: [
        {
          track_id: 't1',
          title: 'Café del Mar',
          artist_name: 'Renée',
          genre: 'ambient',
          score: 0.9,
          rank: 1,
          reason: { type: 'because_you_played', text: 'Because you played “夜の海” by 東京', track_id: 't3' },
        },
        {
          track_id: 't2',
          title: 'Golden, Train',
          artist_name: 'Los Ríos',
          genre: 'rock',
          score: 0.5,
          rank: 2,
          reason: { type: 'trending_in_genre', text: 'Trending in rock, which you play' },
        },
      ],
    });
  });

  it('puts one event on Kafka for each answer', async () => {
    await ask(api, '/recommendations/1?limit=1');
    assert.equal(api.served.length, 1);
    const { key, value } = api.served[0]!;
    const event = value as Record<string, unknown>;
    assert.equal(key, '1');
    assert.deepEqual([event['tier'], event['model_version'], event['track_ids']], ['personal', 'als-1', ['t1']]);
  });

  it('answers an unknown user with the chart of the last week, and says so', async () => {
    const { status, body } = await ask(api, '/recommendations/nobody?limit=1');
    const [item] = body['items'] as { track_id: string; reason: { text: string } }[];
    assert.deepEqual([status, body['tier'], item!.track_id], [200, 'trending', 't1']);
    assert.match(item!.reason.text, /5 people .* 2024-12-31/);
  });

  it('asks to come back before the first publication', async () => {
    const empty = await startApi();
    try {
      const { status, headers, body } = await ask(empty, '/recommendations/1');
      assert.deepEqual([status, body['code'], headers.get('retry-after')], [503, 'nothing_published', '5']);
      assert.equal((await ask(empty, '/readyz')).status, 503);
      assert.equal((await ask(empty, '/livez')).status, 200);
    } finally {
      await empty.stop();
    }
  });

  it('answers tracks like a track, and 404 for an unknown one', async () => {
    const { body } = await ask(api, '/tracks/t1/similar');
    assert.deepEqual(
      (body['items'] as { track_id: string }[]).map((item) => item.track_id),
      ['t3', 't2'],
    );
    assert.deepEqual((await ask(api, '/tracks/t2/similar')).body['items'], []);
    const unknown = await ask(api, '/tracks/nothing/similar');
    assert.deepEqual([unknown.status, unknown.body['code']], [404, 'unknown_track']);
  });

  it('answers the chart of the last week, of a given one, and 404 for a week without', async () => {
    assert.equal((await ask(api, '/trending')).body['week_end'], '2024-12-31');
    const { body } = await ask(api, '/trending?week=2024-12-24');
    assert.deepEqual(
      (body['items'] as { track_id: string }[]).map((item) => item.track_id),
      ['t2'],
    );
    assert.equal((await ask(api, '/trending?week=2023-01-03')).body['code'], 'unknown_week');
    assert.equal((await ask(api, '/trending?week=yesterday')).body['code'], 'invalid_request');
  });

  it('finds tracks whatever the case and accents', async () => {
    const found = async (query: string): Promise<string[]> => {
      const { body } = await ask(api, `/tracks?query=${encodeURIComponent(query)}`);
      return (body['items'] as { track_id: string }[]).map((item) => item.track_id);
    };
    assert.deepEqual(await found('CAFE mar'), ['t1']);
    assert.deepEqual(await found('rios'), ['t2']);
    assert.deepEqual(await found('夜'), ['t3']);
    assert.deepEqual(await found('nothing like it'), []);
  });

  it('takes one listen or many with 202 once Kafka has them, and answers their ids', async () => {
    const one = await ask(api, '/ingest/listening-event', {
      method: 'POST',
      token,
      body: { ...listen, event_id: 'e1' },
    });
    assert.deepEqual([one.status, one.body], [202, { accepted: 1, event_ids: ['e1'] }]);
    const many = await ask(api, '/ingest/listening-event', { method: 'POST', token, body: [listen, listen] });
    assert.equal(many.status, 202);
    assert.equal(new Set(many.body['event_ids'] as string[]).size, 2);
    assert.deepEqual(
      api.kafka.sent.map(({ topic, event }) => [topic, event.key]),
      Array(3).fill(['user_listening_history', '1']),
    );
  });

  it('lists every bad field of every listen, and sends none', async () => {
    const bad = [listen, { user_id: '', track_id: 't1', event_type: 'danced', timestamp: 'noon', extra: 1 }];
    const { status, body } = await ask(api, '/ingest/listening-event', { method: 'POST', token, body: bad });
    assert.deepEqual([status, body['code']], [400, 'invalid_request']);
    const fields = (body['errors'] as { field: string }[]).map((error) => error.field);
    assert.deepEqual(fields.toSorted(), ['1', '1.event_type', '1.timestamp', '1.user_id']);
    assert.equal(api.kafka.sent.length, 0);
  });

  it('refuses more than 1,000 listens, an empty list, and a body that is no JSON', async () => {
    const post = (body: unknown) => ask(api, '/ingest/listening-event', { method: 'POST', token, body });
    assert.equal((await post(Array(1001).fill(listen))).status, 400);
    assert.equal((await post([])).status, 400);
    assert.deepEqual(
      [(await post('{"user_id":')).status, (await post('{"user_id":')).body['code']],
      [400, 'invalid_json'],
    );
    assert.equal((await post(`"${'x'.repeat(1_100_000)}"`)).body['code'], 'body_too_large');
  });

  it('answers 503 while Kafka is away, and goes on recommending', async () => {
    api.kafka.isConnected = false;
    const { status, body } = await ask(api, '/ingest/listening-event', { method: 'POST', token, body: listen });
    assert.deepEqual([status, body['code']], [503, 'kafka_away']);
    assert.equal((await ask(api, '/recommendations/1')).status, 200);
  });

  it('asks for a token where something is written', async () => {
    for (const path of ['/ingest/listening-event', '/pipeline/initial-load', '/pipeline/refresh']) {
      const without = await ask(api, path, { method: 'POST', body: listen });
      const wrong = await ask(api, path, { method: 'POST', token: 'wrong', body: listen });
      assert.deepEqual([without.status, wrong.status, without.body['code']], [401, 401, 'unauthorized'], path);
    }
  });

  it('asks readers for the token too when told to, but not the probes', async () => {
    const closed = await startApi({ settings: { readAuth: true } });
    try {
      assert.equal((await ask(closed, '/trending')).status, 401);
      assert.equal((await ask(closed, '/trending', { token })).status, 503);
      assert.equal((await ask(closed, '/livez')).status, 200);
    } finally {
      await closed.stop();
    }
  });

  it('starts runs with 202 and where to look', async () => {
    const { status, headers, body } = await ask(api, '/pipeline/initial-load', { method: 'POST', token });
    assert.deepEqual([status, headers.get('location'), body['started']], [202, '/pipeline/runs/initial-load', true]);
    assert.equal((await ask(api, '/pipeline/runs/none')).body['code'], 'unknown_run');
  });

  it('answers unknown addresses with 404 and wrong methods with 405', async () => {
    assert.equal((await ask(api, '/nothing')).body['code'], 'unknown_route');
    const { status, headers, body } = await ask(api, '/trending', { method: 'DELETE' });
    assert.deepEqual([status, body['code'], headers.get('allow')], [405, 'method_not_allowed', 'GET, HEAD']);
    assert.equal((await ask(api, '/pipeline/refresh')).status, 405);
  });

  it('refuses limits that make no sense', async () => {
    for (const limit of ['0', '101', 'many', '1.5']) {
      assert.equal((await ask(api, `/recommendations/1?limit=${limit}`)).status, 400, limit);
    }
    assert.equal((await ask(api, `/recommendations/${'x'.repeat(201)}`)).status, 400);
  });

  it('limits requests per address and says so in headers', async () => {
    const strict = await startApi({ settings: { rateLimit: 1 } });
    try {
      const first = await ask(strict, '/trending');
      const second = await ask(strict, '/trending');
      assert.ok(first.headers.get('ratelimit'));
      assert.deepEqual([second.status, second.body['code']], [429, 'too_many_requests']);
    } finally {
      await strict.stop();
    }
  });

  it('gives every answer a request id, the one it came with if there was one', async () => {
    assert.equal(
      (await ask(api, '/livez', { headers: { 'x-request-id': 'my-id' } })).headers.get('x-request-id'),
      'my-id',
    );
    assert.match((await ask(api, '/livez')).headers.get('x-request-id')!, /^[0-9a-f-]{36}$/);
  });

  it('describes every address it has', async () => {
    const { body } = await ask(api, '/openapi.json');
    assert.deepEqual(Object.keys(body['paths'] as object).toSorted(), [
      '/1/cf/recommendation/user/{user}/recording',
      '/1/submit-listens',
      '/1/validate-token',
      '/events/stream',
      '/feedback',
      '/ingest/listening-event',
      '/pipeline/initial-load',
      '/pipeline/models',
      '/pipeline/outcomes',
      '/pipeline/refresh',
      '/pipeline/rollback',
      '/pipeline/runs',
      '/pipeline/runs/{workflowId}',
      '/pipeline/weekly-trends',
      '/pipeline/weekly-trends/decisions',
      '/recommendations/{userId}',
      '/tracks',
      '/tracks/{trackId}/similar',
      '/trending',
      '/users/{userId}',
      '/users/{userId}/history',
    ]);
  });
});
