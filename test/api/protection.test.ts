import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import type { Router } from 'express';
import { ask, startApi, testToken as token, type ApiWorld } from '../support/api-world.ts';

/** Routes that answer without a token though reads need one, as docs/reference.md has them. */
const open = ['/livez', '/readyz', '/metrics', '/openapi.json', '/docs', '/docs/problems', '/1/validate-token'];

interface WalkedRoute {
  readonly path: string;
  readonly methods: readonly string[];
}

/** Every route of an Express router and of the routers in it. */
function walk(router: Router): WalkedRoute[] {
  return router.stack.flatMap(({ route, handle }) => {
    if (route) {
      const methods = route.stack.flatMap(({ method }) => method?.toUpperCase() ?? []);
      return [{ path: route.path, methods: [...new Set(methods)] }];
    }
    const inner = handle as unknown as Partial<Router>;
    return inner.stack ? walk(inner as Router) : [];
  });
}

/** An address of a route: each parameter is filled in. */
function addressOf(path: string): string {
  return path.replaceAll(/[:*]\w+/g, 'some-id');
}

/** A request that fetch would not send. */
function send(url: string, method: string): Promise<{ status: number; allow: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { method }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode!, allow: response.headers.allow, body }));
    })
      .on('error', reject)
      .end();
  });
}

describe('the routes of the API', () => {
  let closed: ApiWorld;
  let routes: readonly WalkedRoute[];
  beforeEach(async () => {
    closed = await startApi({ settings: { readAuth: true } });
    routes = walk(closed.app.router);
  });
  afterEach(() => closed.stop());

  it('are all found by the walk', async () => {
    const { body } = await ask(closed, '/openapi.json');
    const described = Object.keys(body['paths'] as object);
    const walked = routes.map(({ path }) => path.replaceAll(/[:*](\w+)/g, '{$1}'));
    assert.deepEqual(
      described.filter((path) => !walked.includes(path)),
      [],
    );
    assert.ok(described.length >= 24, String(described.length));
  });

  it('answer 401 without a token when reads need one, all but the documented ones', async () => {
    for (const { path, methods } of routes) {
      for (const method of methods) {
        const { status } = await send(`${closed.url}${addressOf(path)}`, method);
        assert.equal(status === 401, !open.includes(path), `${method} ${path}: ${status}`);
      }
    }
    const wrong = await ask(closed, '/trending', { token: `${token}x` });
    assert.deepEqual([wrong.status, wrong.body['code']], [401, 'unauthorized']);
    assert.equal((await ask(closed, '/trending', { token })).status, 503);
  });

  it('ask for a token where something is written, whatever the setting', async () => {
    const api = await startApi();
    try {
      for (const { path, methods } of walk(api.app.router)) {
        for (const method of methods.filter((name) => name !== 'GET')) {
          const { status } = await send(`${api.url}${addressOf(path)}`, method);
          assert.equal(status, 401, `${method} ${path}`);
        }
      }
    } finally {
      await api.stop();
    }
  });

  it('answer other methods with 405 and the methods there are, TRACE among them', async () => {
    for (const { path, methods } of routes) {
      const allowed = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : method)).join(', ');
      for (const method of ['TRACE', 'PUT', 'PATCH', 'OPTIONS'] as const) {
        // Browsers ask ListenBrainz's API by OPTIONS whether a page of another origin may use it.
        if (method === 'OPTIONS' && path.startsWith('/1/')) continue;
        const { status, allow } = await send(`${closed.url}${addressOf(path)}`, method);
        assert.deepEqual([status, allow], [405, allowed], `${method} ${path}`);
      }
    }
  });

  it('end an answer to HEAD, that of the event stream too', async () => {
    const api = await startApi();
    try {
      const response = await fetch(`${api.url}/events/stream`, { method: 'HEAD', signal: AbortSignal.timeout(5_000) });
      assert.deepEqual([response.status, await response.text()], [200, '']);
    } finally {
      await api.stop();
    }
  });
});

describe('limits behind a proxy', () => {
  async function statuses(trustProxy: number | false | string[], addresses: readonly string[]): Promise<number[]> {
    const api = await startApi({ settings: { rateLimit: 1, trustProxy } });
    try {
      const found: number[] = [];
      for (const address of addresses) {
        found.push((await ask(api, '/trending', { headers: { 'x-forwarded-for': address } })).status);
      }
      return found;
    } finally {
      await api.stop();
    }
  }

  it('count each client by its own address', async () => {
    assert.deepEqual(await statuses(1, ['203.0.113.1', '203.0.113.2', '203.0.113.1']), [503, 503, 429]);
    assert.deepEqual(await statuses(['loopback'], ['203.0.113.1', '203.0.113.2']), [503, 503]);
  });

  it('believe nobody who is no proxy, and say nothing of it', async () => {
    const said: unknown[] = [];
    const original = console.error;
    console.error = (...words: unknown[]) => void said.push(words);
    try {
      assert.deepEqual(await statuses(false, ['203.0.113.1', '203.0.113.2']), [503, 429]);
      assert.deepEqual(await statuses(['10.0.0.0/8'], ['203.0.113.1', '203.0.113.2']), [503, 429]);
      assert.deepEqual(await statuses(1, ['198.51.100.1, 203.0.113.1', '198.51.100.2, 203.0.113.1']), [503, 429]);
    } finally {
      console.error = original;
    }
    assert.deepEqual(said, []);
  });
});
