import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { problems } from '../../api/problems.ts';
import { ask, startApi, testToken as token, type ApiWorld } from '../support/api-world.ts';
import { publishSnapshot } from '../support/snapshots.ts';
import { until } from '../support/wait.ts';

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
    const alone = await ask(api, '/ingest/listening-event', {
      method: 'POST',
      token,
      body: { ...listen, user_id: '' },
    });
    assert.deepEqual(
      (alone.body['errors'] as { field: string }[]).map((error) => error.field),
      ['user_id'],
    );
  });

  it('refuses ids and times that no door takes, by field and in words', async () => {
    const post = (more: object) =>
      ask(api, '/ingest/listening-event', { method: 'POST', token, body: { ...listen, ...more } });
    // The test API's clock stands at 2025-01-02T03:04:05Z.
    const refusals: readonly (readonly [object, string, RegExp])[] = [
      [{ track_id: '\u0085a' }, 'track_id', /control character/],
      [{ user_id: 'a\u2028' }, 'user_id', /line separator/],
      [{ user_id: '\ud800' }, 'user_id', /unpaired surrogate/],
      [{ event_id: '\u3000\u00a0' }, 'event_id', /nothing but blanks/],
      [{ track_id: 'x'.repeat(201) }, 'track_id', /more than 200 characters/],
      [{ timestamp: '0001-01-01T00:00:00Z' }, 'timestamp', /before the earliest/],
      [{ timestamp: '2002-09-30T23:59:59Z' }, 'timestamp', /before the earliest/],
      [{ timestamp: '9999-12-31T23:59:59Z' }, 'timestamp', /after the latest/],
      [{ timestamp: '2025-01-02T04:04:06Z' }, 'timestamp', /after the latest/],
      [{ timestamp: '2025-01-01T05:00:00 BST' }, 'timestamp', /no ISO 8601 time/],
      [{ timestamp: 1_735_787_045 }, 'timestamp', /string/],
    ];
    for (const [more, field, message] of refusals) {
      const { status, body } = await post(more);
      const errors = body['errors'] as { field: string; message: string }[];
      assert.deepEqual([status, errors.map((error) => error.field)], [400, [field]], JSON.stringify(more));
      assert.match(errors[0]!.message, message);
    }
    assert.equal(api.kafka.sent.length, 0);
    const taken = await post({ track_id: '\ud83c\udfb5'.repeat(200), timestamp: '2025-01-02 05:34+01:30' });
    assert.equal(taken.status, 202);
    assert.equal((api.kafka.sent[0]!.event.value as { timestamp: string }).timestamp, '2025-01-02T04:04:00.000Z');
    assert.equal((await ask(api, '/recommendations/%C2%85')).status, 400);
  });

  it('refuses more than 1,000 listens, an empty list, and a body that is no JSON', async () => {
    const post = (body: unknown) => ask(api, '/ingest/listening-event', { method: 'POST', token, body });
    assert.equal((await post(Array(1001).fill(listen))).status, 400);
    assert.equal((await post([])).status, 400);
    assert.deepEqual(
      [(await post('{"user_id":')).status, (await post('{"user_id":')).body['code']],
      [400, 'invalid_json'],
    );
    const tooLarge = await post(`"${'x'.repeat(1_100_000)}"`);
    assert.deepEqual(
      [tooLarge.body['code'], tooLarge.body['detail']],
      ['body_too_large', 'The body may have at most 1 MB'],
    );
  });

  it('says why it cannot read a body', async () => {
    const bodies: readonly (readonly [Record<string, string>, string | Buffer, RegExp])[] = [
      [{}, '{', /JSON/],
      [{ 'content-encoding': 'gzip' }, 'not gzip', /incorrect header/],
      [{ 'content-encoding': 'gzip' }, gzipSync(JSON.stringify(listen)).subarray(0, 20), /unexpected end/],
      [{ 'content-encoding': 'other' }, '{}', /content encoding "other"/],
      [{ 'content-type': 'application/json; charset=latin1' }, '{}', /charset "LATIN1"/],
    ];
    for (const [given, body, expected] of bodies) {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...given };
      const response = await fetch(`${api.url}/ingest/listening-event`, { method: 'POST', headers, body });
      const { code, detail } = (await response.json()) as { code: string; detail: string };
      assert.deepEqual([response.status, code], [400, 'invalid_json'], expected.source);
      assert.match(detail, expected);
    }
  });

  it('does not log a client that hangs up in the middle of a body as an error', async () => {
    const lines: { level: number }[] = [];
    const logger = pino(
      { level: 'debug' },
      { write: (line) => void lines.push(JSON.parse(line) as { level: number }) },
    );
    const logged = await startApi({ logger });
    try {
      const socket = connect(Number(new URL(logged.url).port), '127.0.0.1');
      await once(socket, 'connect');
      const head = ['POST /feedback HTTP/1.1', 'Host: segue', 'Content-Type: application/json', 'Content-Length: 100'];
      socket.write([...head, `Authorization: Bearer ${token}`, '', '{"user_id":'].join('\r\n'), () => socket.destroy());
      await until('the request is logged', async () => lines.length > 0);
      assert.deepEqual(
        lines.filter(({ level }) => level >= pino.levels.values['error']!),
        [],
      );
    } finally {
      await logged.stop();
    }
  });

  it('logs no token that an address carries', async () => {
    const lines: string[] = [];
    const logger = pino({ level: 'debug' }, { write: (line) => void lines.push(line) });
    const listenerTokens = {
      userOf: () => Promise.reject(new Error('the file cannot be read')),
      hasUser: async () => false,
    };
    const logged = await startApi({ logger, listenerTokens });
    try {
      for (const query of ['token=s3cret', 'a=1&token=s3c?r3t&b=2', 't%6Fken=s3cret&a=b', 'Token=s3cret=']) {
        await ask(logged, `/1/validate-token?${query}`);
      }
      await until('the requests are logged', () => lines.filter((line) => line.includes('responseTime')).length === 4);
      assert.deepEqual(
        lines.filter((line) => line.includes('s3c') || line.includes('r3t')),
        [],
      );
      assert.ok(lines.some((line) => line.includes('"url":"/1/validate-token?a=1&token=***&b=2"')));
    } finally {
      await logged.stop();
    }
  });

  it('refuses an address and headers that cannot be met as the client’s fault', async () => {
    assert.equal((await ask(api, '/tracks/%E0%A4%A/similar')).body['code'], 'invalid_request');
    const { status, body } = await ask(api, '/page.css', { headers: { range: 'bytes=99999999-' } });
    assert.deepEqual([status, body['code']], [400, 'invalid_request']);
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

  it('leads from the type of a problem to what it means', async () => {
    const { body } = await ask(api, '/nothing');
    const [address, code] = String(body['type']).split('#');
    const page = await fetch(`${api.url}${address}`);
    const text = await page.text();
    assert.deepEqual([page.status, code], [200, 'unknown_route']);
    for (const known of Object.keys(problems)) assert.ok(text.includes(`id="${known}"`), known);
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
      '/livez',
      '/metrics',
      '/pipeline/initial-load',
      '/pipeline/models',
      '/pipeline/outcomes',
      '/pipeline/refresh',
      '/pipeline/rollback',
      '/pipeline/runs',
      '/pipeline/runs/{workflowId}',
      '/pipeline/weekly-trends',
      '/pipeline/weekly-trends/decisions',
      '/readyz',
      '/recommendations/{userId}',
      '/tracks',
      '/tracks/{trackId}/similar',
      '/trending',
      '/users/{userId}',
      '/users/{userId}/history',
    ]);
  });

  it('describes which requests may be answered with 503, and that Retry-After says when to ask again', async () => {
    const { body } = await ask(api, '/openapi.json');
    type Responses = Record<string, { readonly headers?: object } | undefined>;
    const paths = Object.entries(body['paths'] as Record<string, Record<string, { readonly responses: Responses }>>);
    const may = paths.filter(([, methods]) =>
      Object.values(methods).some(({ responses }) => responses['503']?.headers),
    );
    assert.deepEqual(
      paths
        .map(([path]) => path)
        .filter((path) => !may.some(([other]) => other === path))
        .toSorted(),
      [
        '/1/validate-token',
        '/events/stream',
        '/livez',
        '/metrics',
        '/pipeline/models',
        '/pipeline/outcomes',
        '/readyz',
        '/users/{userId}/history',
      ],
    );
  });
});
