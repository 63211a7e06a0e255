import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { startApi, testToken as token, type ApiWorld } from '../support/api-world.ts';
import { publishSnapshot } from '../support/snapshots.ts';

const longest = 'x'.repeat(200);
const note = '🎵';
const listen = { user_id: '1', track_id: 't1', event_type: 'complete_listen' };

/** An address, and the status and code of its answer; 200 has no code. */
const reads: readonly (readonly [string, number, string?])[] = [
  [`/recommendations/${longest}`, 200],
  [`/recommendations/${longest}x`, 400, 'invalid_request'],
  // 200 characters of four bytes each: characters are counted, not bytes or UTF-16 units.
  [`/recommendations/${encodeURIComponent(note.repeat(200))}`, 200],
  [`/recommendations/${encodeURIComponent(note.repeat(201))}`, 400, 'invalid_request'],
  ['/recommendations/a%2Fb', 200],
  ['/recommendations/%00', 400, 'invalid_request'],
  ['/recommendations/a%C2%85', 400, 'invalid_request'],
  ['/recommendations/%E2%80%A8a', 400, 'invalid_request'],
  ['/recommendations/%20%20', 400, 'invalid_request'],
  ['/recommendations/%ff', 400, 'invalid_request'],
  ['/recommendations/%zz', 400, 'invalid_request'],
  ['/recommendations/1?limit=1&limit=2', 400, 'invalid_request'],
  ['/recommendations/1?limit=', 400, 'invalid_request'],
  ['/recommendations/1?limit=1e1', 400, 'invalid_request'],
  ['/recommendations/1?limit=0x10', 400, 'invalid_request'],
  ['/recommendations/1?limit=%205', 400, 'invalid_request'],
  ['/recommendations/1?limit=-1', 400, 'invalid_request'],
  ['/recommendations/1?limit=9007199254740993', 400, 'invalid_request'],
  ['/recommendations/1?limit[]=1', 200],
  ['/recommendations/1?__proto__=1&constructor=2', 200],
  ['/tracks?offset=100001', 400, 'invalid_request'],
  ['/tracks?offset=100000', 200],
  [`/tracks?query=${encodeURIComponent(note.repeat(200))}`, 200],
  [`/tracks?query=${encodeURIComponent(note.repeat(201))}`, 400, 'invalid_request'],
  ['/tracks?query=a&query=b', 400, 'invalid_request'],
  ['/trending?week=2025-02-30', 400, 'invalid_request'],
  ['/trending?week=2025-1-7', 400, 'invalid_request'],
  ['/trending?week=2023-01-03', 404, 'unknown_week'],
  ['/tracks/%00/similar', 400, 'invalid_request'],
  ['/users/%7F/history', 400, 'invalid_request'],
  ['/pipeline/runs/%0A', 400, 'invalid_request'],
  ['/pipeline/runs/a/b%2Fc', 404, 'unknown_run'],
  ['/events/stream?types=listen,', 400, 'invalid_request'],
  ['/events/stream?types=', 400, 'invalid_request'],
  ['/events/stream?user=%00', 400, 'invalid_request'],
  ['/no/such/address', 404, 'unknown_route'],
];

interface Post {
  readonly title: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
  readonly expected: readonly [number, string?];
}

const json = JSON.stringify(listen);
const posts: readonly Post[] = [
  { title: 'gzip', headers: { 'content-encoding': 'gzip' }, body: gzipSync(json), expected: [202] },
  {
    title: 'gzip of more than the limit',
    headers: { 'content-encoding': 'gzip' },
    body: gzipSync(`[${' '.repeat(1_100_000)}]`),
    expected: [413, 'body_too_large'],
  },
  {
    title: 'a form',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'user_id=1',
    expected: [400, 'invalid_request'],
  },
  { title: 'text', headers: { 'content-type': 'text/plain' }, body: json, expected: [400, 'invalid_request'] },
  { title: 'no body', body: '', expected: [400, 'invalid_request'] },
  { title: 'a number', body: '7', expected: [400, 'invalid_json'] },
  { title: 'null', body: 'null', expected: [400, 'invalid_json'] },
  { title: 'JSON with a comma too many', body: '{"user_id":"1",}', expected: [400, 'invalid_json'] },
  {
    title: 'UTF-16',
    headers: { 'content-type': 'application/json; charset=utf-16' },
    body: Buffer.from(json, 'utf16le'),
    expected: [202],
  },
  {
    title: 'bytes that are no UTF-8',
    body: Buffer.from(json.replace('t1', 't\xff'), 'latin1'),
    expected: [400, 'invalid_json'],
  },
  { title: 'an unpaired surrogate', body: json.replace('t1', String.raw`\ud800`), expected: [400, 'invalid_request'] },
  { title: 'a control character of C1', body: json.replace('t1', '\u0085t1'), expected: [400, 'invalid_request'] },
  { title: 'an unknown field', body: JSON.stringify({ ...listen, __proto: 1 }), expected: [400, 'invalid_request'] },
  {
    title: 'a very long id that ends in a control character',
    body: JSON.stringify({ ...listen, track_id: `${'x'.repeat(900_000)}\u0001` }),
    expected: [400, 'invalid_request'],
  },
  {
    title: 'a thousand arrays in arrays',
    path: '/feedback',
    body: '['.repeat(1_000) + ']'.repeat(1_000),
    expected: [400, 'invalid_request'],
  },
  {
    title: 'more than the limit',
    path: '/feedback',
    body: `{"user_id":"${'x'.repeat(20_000)}"}`,
    expected: [413, 'body_too_large'],
  },
];

describe('a hostile request', () => {
  let api: ApiWorld;
  before(async () => {
    api = await startApi();
    await publishSnapshot(api.store, 'als-1');
    await api.snapshots.check();
  });
  after(() => api.stop());

  async function agrees(response: Response, [status, code]: readonly [number, string?]): Promise<void> {
    const text = await response.text();
    assert.equal(response.status, status, text);
    const type = code === undefined ? /^application\/json/ : /^application\/problem\+json/;
    assert.match(response.headers.get('content-type') ?? '', type);
    assert.equal((JSON.parse(text) as { code?: string }).code, code);
  }

  for (const [path, ...expected] of reads) {
    const shown = path.length > 60 ? `${path.slice(0, 60)}…` : path;
    it(`GET ${shown} is answered with ${expected.join(' ')}`, async () => {
      await agrees(await fetch(`${api.url}${path}`), expected);
    });
  }

  for (const { title, path = '/ingest/listening-event', headers, body, expected } of posts) {
    it(`a body of ${title} is answered with ${expected.join(' ')}, within a second`, async () => {
      const response = await fetch(`${api.url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
        body,
        signal: AbortSignal.timeout(1_000),
      });
      await agrees(response, expected);
    });
  }
});
