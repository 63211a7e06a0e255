import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { toListeningEvent, trackIdOf } from '../../api/listenbrainz/scrobbles.ts';
import { ListenerTokens, TokenFile } from '../../api/listenbrainz/tokens.ts';
import { ListenerView } from '../../api/listeners/view.ts';
import { rules } from '../../contracts/acceptance/rules.ts';
import { timeRange } from '../../contracts/acceptance/time.ts';
import type { ListeningEvent } from '../../contracts/schemas/events.ts';
import { Catalogue } from '../../generators/importers/catalogue.ts';
import { tidy, type TakenListen } from '../../generators/importers/source.ts';
import { ask, startApi, testToken, type ApiWorld } from '../support/api-world.ts';
import { publishSnapshot } from '../support/snapshots.ts';
import { until } from '../support/wait.ts';

const headers = { authorization: 'Token token-of-anna' };
/** The test API's clock stands at 2025-01-02T03:04:05Z. */
const now = 1_735_787_045;

function scrobble(overrides: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}) {
  return {
    listened_at: now - 60,
    track_metadata: { artist_name: 'Renée', track_name: 'Café del Mar', ...metadata },
    ...overrides,
  };
}

describe("ListenBrainz's API", () => {
  let api: ApiWorld;
  beforeEach(async () => {
    api = await startApi();
  });
  afterEach(() => api.stop());

  function submit(listen_type: string, payload: unknown) {
    return ask(api, '/1/submit-listens', { method: 'POST', headers, body: { listen_type, payload } });
  }

  function sent(): ListeningEvent[] {
    return api.kafka.sent.map(({ event }) => event.value as ListeningEvent);
  }

  it('takes a scrobble as a listen of the token’s user, with the names the player gave', async () => {
    const { status, body } = await submit('single', [scrobble()]);
    assert.deepEqual([status, body], [200, { status: 'ok' }]);
    const [{ event_id, ...event }] = sent() as [ListeningEvent];
    assert.match(event_id, /^[0-9a-f]{32}$/);
    assert.deepEqual(event, {
      schema_version: 1,
      user_id: 'anna',
      track_id: trackIdOf('Renée', 'Café del Mar'),
      event_type: 'complete_listen',
      timestamp: '2025-01-02T03:03:05Z',
      received_at: '2025-01-02T03:04:05.000Z',
      title: 'Café del Mar',
      artist_name: 'Renée',
    });
  });

  it('takes whatever content type a scrobbler sends, and a recording’s own id', async () => {
    const recording_mbid = '526BD613-fddd-4bd6-9137-ab709ac74cab';
    const body = JSON.stringify({
      listen_type: 'single',
      payload: [scrobble({}, { additional_info: { recording_mbid, tags: ['a'] } })],
    });
    const plain = { ...headers, 'content-type': 'text/plain' };
    const response = await fetch(`${api.url}/1/submit-listens`, { method: 'POST', headers: plain, body });
    assert.equal(response.status, 200);
    assert.equal(sent()[0]!.track_id, recording_mbid.toLowerCase());
  });

  it('adds nothing when a listen is sent again, alone or in one import', async () => {
    await submit('import', [scrobble(), scrobble(), scrobble({ listened_at: now - 30 })]);
    await submit('single', [scrobble({}, { artist_name: ' RENÉE', track_name: 'Café  del Mar ' })]);
    const ids = sent().map((event) => event.event_id);
    assert.deepEqual([ids.length, new Set(ids).size], [3, 2]);
  });

  it('takes playing_now without making a listen of it', async () => {
    const { listened_at: _when, ...playing } = scrobble();
    assert.equal((await submit('playing_now', [playing])).status, 200);
    assert.deepEqual(sent(), []);
  });

  it('refuses what ListenBrainz refuses, in its words', async () => {
    const listen = scrobble();
    const refusals: readonly (readonly [string, unknown, RegExp])[] = [
      ['single', [], /does not contain any listens/],
      ['single', [listen, listen], /more than listen for a single/],
      ['weekly', [listen], /valid listen_type key/],
      ['import', 'listens', /should be a list/],
      ['import', Array.from({ length: 1_001 }, () => listen), /may not submit more than 1000/],
      ['import', [scrobble({}, { release_name: 'x'.repeat(10_241) })], /larger than 10240/],
      ['import', [scrobble({ listened_at: undefined })], /must contain the key listened_at/],
      ['import', [scrobble({ listened_at: 'noon' })], /int value for listened_at/],
      ['import', [scrobble({ listened_at: now + 7_200 })], /too high/],
      ['import', [scrobble({ listened_at: 5 })], /too low/],
      ['import', [scrobble({ extra: 1 })], /may only contain/],
      ['import', [scrobble({}, { artist_name: ['a'] })], /single string/],
      ['import', [scrobble({}, { track_name: ' ' })], /track_name is empty/],
      ['import', [scrobble({}, { track_name: '\u200b\u3000' })], /track_name is empty/],
      ['import', [scrobble({}, { track_name: 'Two\nlines' })], /track_name holds a control character/],
      ['import', [scrobble({}, { artist_name: 'Zoé\ud800' })], /artist_name holds .*unpaired surrogate/],
      ['import', [scrobble({}, { track_name: 'a\u2028b' })], /track_name holds .*line separator/],
      ['import', [scrobble({}, { track_name: 'x'.repeat(1_001) })], /track_name has more than 1000 characters/],
      ['import', [scrobble({ listened_at: '0x1' })], /int value for listened_at/],
      ['import', [scrobble({}, { track_name: undefined })], /required track_metadata.track_name/],
      ['import', [scrobble({ track_metadata: null })], /required track_metadata/],
      ['import', [scrobble({}, { additional_info: { recording_mbid: 'x' } })], /MBID format invalid/],
      ['import', [scrobble({}, { additional_info: { tags: Array(51).fill('t') } })], /more than 50 items/],
      ['import', [scrobble({}, { additional_info: { tags: ['t'.repeat(65)] } })], /longer than 64/],
      ['playing_now', [listen], /must not contain listened_at/],
      ['import', [7], /json object/],
    ];
    for (const [type, payload, expected] of refusals) {
      const { status, body } = await submit(type, payload);
      assert.deepEqual([status, body['code']], [400, 400], expected.source);
      assert.match(body['error'] as string, expected);
    }
    for (const body of ['{', '[]', '{"payload": []}']) {
      const { status } = await ask(api, '/1/submit-listens', { method: 'POST', headers, body });
      assert.equal(status, 400, body);
    }
    assert.deepEqual(sent(), []);
  });

  it('asks for a token that holds', async () => {
    for (const [authorization, expected] of [
      [undefined, /need to provide an Authorization header/],
      ['token-of-anna', /header is invalid/],
      ['Token something', /Invalid authorization token/],
    ] as const) {
      const given = authorization === undefined ? {} : { authorization };
      const body = { listen_type: 'single', payload: [scrobble()] };
      const answer = await ask(api, '/1/submit-listens', { method: 'POST', headers: given, body });
      assert.deepEqual([answer.status, answer.body['code']], [401, 401]);
      assert.match(answer.body['error'] as string, expected);
    }
  });

  it('says whose a token is', async () => {
    assert.deepEqual((await ask(api, '/1/validate-token', { headers })).body, {
      code: 200,
      message: 'Token valid.',
      valid: true,
      user_name: 'anna',
    });
    const { body } = await ask(api, '/1/validate-token?token=other');
    assert.deepEqual(body, { code: 200, message: 'Token invalid.', valid: false });
    assert.equal((await ask(api, '/1/validate-token')).status, 400);
  });

  it('tells a listener’s recommendations, 204 when there are none yet, 404 for one that nobody knows', async () => {
    await publishSnapshot(api.store, 'als-1');
    await api.snapshots.check();
    const path = (user: string): string => `/1/cf/recommendation/user/${user}/recording`;
    const { status, body } = await ask(api, `${path('1')}?count=1&offset=1&artist_type=top`);
    assert.equal(status, 200);
    assert.deepEqual(body['payload'], {
      mbids: [{ recording_mbid: 't2', score: 0.5, latest_listened_at: null }],
      entity: 'recording',
      user_name: '1',
      last_updated: Date.parse('2025-01-01T00:00:00Z') / 1000,
      count: 1,
      total_mbid_count: 2,
      offset: 1,
    });
    assert.equal(api.served.length, 1);
    const none = await fetch(`${api.url}${path('anna')}`);
    assert.deepEqual([none.status, await none.text()], [204, '']);
    const unknown = await ask(api, path('nobody'));
    assert.deepEqual([unknown.status, unknown.body], [404, { code: 404, error: 'Cannot find user: nobody' }]);
    assert.equal((await ask(api, `${path('1')}?count=-1`)).status, 400);
  });

  it('answers 503 while Kafka is away, in its own way too', async () => {
    api.kafka.isConnected = false;
    const { status, body, headers: answered } = await submit('single', [scrobble()]);
    assert.deepEqual([status, body['code'], answered.get('retry-after')], [503, 503, '5']);
    assert.equal(typeof body['error'], 'string');
  });

  it('limits requests per token, and says in its headers what is left', async () => {
    const limited = await startApi({ settings: { scrobbleRateLimit: 2 } });
    try {
      const answers = [];
      for (let request = 0; request < 3; request++) answers.push(await ask(limited, '/1/validate-token', { headers }));
      assert.deepEqual(
        answers.map(({ status, headers: answered }) => [status, answered.get('x-ratelimit-remaining')]),
        [
          [200, '1'],
          [200, '0'],
          [429, '0'],
        ],
      );
      const last = answers[2]!;
      assert.equal(last.body['code'], 429);
      assert.equal(last.headers.get('x-ratelimit-limit'), '2');
      assert.ok(Number(last.headers.get('x-ratelimit-reset-in')) > 0);
      assert.equal((await ask(limited, '/1/validate-token?token=x')).status, 200);
    } finally {
      await limited.stop();
    }
  });

  it('counts tokens that do not hold for their address, and one that holds for itself', async () => {
    const limited = await startApi({ settings: { scrobbleRateLimit: 2 } });
    try {
      const statuses: number[] = [];
      for (const token of ['random-1', 'random-2', 'random-3', 'token-of-anna', testToken]) {
        const given = { authorization: `Token ${token}` };
        statuses.push((await ask(limited, '/1/validate-token', { headers: given })).status);
      }
      assert.deepEqual(statuses, [200, 200, 429, 200, 200]);
    } finally {
      await limited.stop();
    }
  });

  it('takes a listener’s token or the API’s where reads need one, as Token or as Bearer', async () => {
    const closed = await startApi({ settings: { readAuth: true } });
    try {
      await publishSnapshot(closed.store, 'als-1');
      await closed.snapshots.check();
      const read = (given: Record<string, string>) =>
        ask(closed, '/1/cf/recommendation/user/1/recording', { headers: given });
      for (const scheme of ['Token', 'Bearer']) {
        assert.equal((await read({ authorization: `${scheme} ${testToken}` })).status, 200, scheme);
        assert.equal((await read({ authorization: `${scheme} token-of-anna` })).status, 200, scheme);
        const wrong = await read({ authorization: `${scheme} something` });
        assert.deepEqual([wrong.status, wrong.body['code']], [401, 401], scheme);
      }
      assert.equal((await read({})).status, 401);
    } finally {
      await closed.stop();
    }
  });

  it('answers unknown addresses, wrong methods and what it cannot read in its own way too', async () => {
    const unknown = await ask(api, '/1/nothing');
    assert.deepEqual([unknown.status, unknown.body['code'], typeof unknown.body['error']], [404, 404, 'string']);
    for (const [method, path, allowed] of [
      ['GET', '/1/submit-listens', 'POST'],
      ['POST', '/1/validate-token', 'GET, HEAD'],
      ['DELETE', '/1/cf/recommendation/user/1/recording', 'GET, HEAD'],
    ] as const) {
      const { status, body, headers: answered } = await ask(api, path, { method });
      assert.deepEqual([status, body['code'], answered.get('allow')], [405, 405, allowed], path);
    }
    const zipped = await ask(api, '/1/submit-listens', {
      method: 'POST',
      headers: { ...headers, 'content-encoding': 'gzip' },
      body: 'not gzip',
    });
    assert.deepEqual([zipped.status, zipped.body['code']], [400, 400]);
    assert.match(zipped.body['error'] as string, /incorrect header/);
    assert.equal((await ask(api, '/1/cf/recommendation/user/%E0%A4%A/recording')).body['code'], 400);
  });

  it('tells of the limit of an address in its own way too', async () => {
    const strict = await startApi({ settings: { rateLimit: 1 } });
    try {
      await ask(strict, '/1/validate-token', { headers });
      const { status, body } = await ask(strict, '/1/validate-token', { headers });
      assert.deepEqual([status, body], [429, { code: 429, error: 'Too many requests from this address' }]);
    } finally {
      await strict.stop();
    }
  });

  it('lets scrobblers in a browser ask from any page', async () => {
    const response = await fetch(`${api.url}/1/submit-listens`, { method: 'OPTIONS' });
    assert.deepEqual([response.status, response.headers.get('access-control-allow-origin')], [200, '*']);
  });
});

describe('a scrobble’s ids', () => {
  it('are those that the importers of listening histories make', () => {
    const range = timeRange(rules.time.earliest, new Date(now * 1000));
    const names = [
      { artist: ' Renée ', title: 'Café  del Mar' },
      { artist: 'ＢＪÖＲＫ', title: 'Jóga' },
      { artist: 'Rene\u0301e', title: '夜の海' },
    ];
    for (const { artist, title } of names) {
      const taken = tidy({ user: 'anna', artist, title, time: now }, range) as TakenListen;
      const id = new Catalogue().note(taken);
      assert.equal(trackIdOf(artist, title), id);
      const event = toListeningEvent(
        'anna',
        { listenedAtMs: now * 1000, artist, title, recordingId: undefined },
        new Date(now * 1000),
      );
      assert.deepEqual([event.track_id, event.timestamp], [id, taken.timestamp]);
    }
  });

  it('show their names in the history, where no catalogue has the track', async () => {
    const view = new ListenerView(() => new Date(now * 1000));
    const scrobbled = { listenedAtMs: now * 1000, artist: 'A', title: 'T', recordingId: undefined };
    view.takeListen(toListeningEvent('anna', scrobbled, new Date(now * 1000)));
    const [play] = view.plays('anna')!;
    assert.deepEqual([play!.title, play!.artist_name], ['T', 'A']);
  });
});

describe('npm run token', function () {
  this.timeout(60_000);
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'segue-tokens-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  function run(...args: string[]) {
    return execa('node', ['--import', 'tsx', 'api/listenbrainz/token-cli.ts', ...args], {
      env: { SEGUE_SECRETS_DIR: folder },
      reject: false,
    });
  }

  it('makes, lists and revokes tokens, keeps only hashes, and the API sees every change', async () => {
    const path = join(folder, 'listener_tokens.json');
    const tokens = new ListenerTokens(path);
    const { stdout: token } = await run('create', 'anna');
    await until('the API knows it', async () => (await tokens.userOf(token)) === 'anna');
    const content = await readFile(path, 'utf8');
    assert.ok(!content.includes(token) && content.includes('"sha256"'));
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.match((await run('list')).stdout, /^\d{4}-\d\d-\d\dT.*Z {2}anna$/);
    assert.equal((await run('revoke', 'anna')).stdout, '1 revoked');
    await until('the API knows it', async () => (await tokens.userOf(token)) === undefined);
    assert.equal(await tokens.hasUser('anna'), false);
    assert.equal((await run('revoke', 'anna')).exitCode, 1);
    assert.equal((await run('make', 'anna')).exitCode, 2);
  });

  it('tells everybody who asks at once just after a start whose a token is', async () => {
    const path = join(folder, 'after-start.json');
    const token = await new TokenFile(path).create('anna', new Date());
    const tokens = new ListenerTokens(path);
    assert.deepEqual(await Promise.all([tokens.userOf(token), tokens.userOf(token)]), ['anna', 'anna']);
  });

  it('never takes a token for one that does not hold while the file cannot be read', async () => {
    const path = join(folder, 'unreadable.json');
    await writeFile(path, 'no JSON');
    const tokens = new ListenerTokens(path);
    for (let request = 0; request < 2; request++) await assert.rejects(tokens.userOf('something'), /cannot be read/);
  });

  it('keeps every token of commands that run at once', async () => {
    const file = new TokenFile(join(folder, 'at-once.json'));
    await Promise.all(Array.from({ length: 10 }, (_, index) => file.create(`user-${index}`, new Date())));
    assert.equal((await file.list()).length, 10);
  });
});
