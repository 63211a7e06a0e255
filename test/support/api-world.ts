import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { buildApp } from '../../api/app.ts';
import type { ApiDeps } from '../../api/deps.ts';
import type { ProducerLink } from '../../api/events/producer-link.ts';
import { CannotCatchUp } from '../../api/events/catch-up.ts';
import { EventHub } from '../../api/events/hub.ts';
import { ListenerView } from '../../api/listeners/view.ts';
import { createApiMetrics } from '../../api/metrics.ts';
import { SnapshotStore } from '../../api/snapshot/store.ts';
import { rules } from '../../contracts/acceptance/rules.ts';
import type { OutgoingEvent } from '../../platform/kafka/producer.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMemoryStore } from './memory-store.ts';

export const testToken = 'a-token-of-the-tests';

/** The app on a free port, with its world in memory: what was sent to Kafka can be read, Kafka can be taken away. */
export async function startApi(
  overrides: Partial<Omit<ApiDeps, 'settings'>> & { settings?: Partial<ApiDeps['settings']> } = {},
  store = createMemoryStore(),
) {
  const logger = createLogger({ name: 'test', level: 'silent' });
  const metrics = createApiMetrics(new Registry());
  const snapshots = new SnapshotStore({
    store,
    logger,
    pollMs: 60_000,
    onRefused: () => metrics.snapshotsRefused.inc(),
  });
  const send: ProducerLink['send'] = async (topic, events) => {
    if (!kafka.isConnected) throw new Error('Kafka is away');
    kafka.sent.push(...events.map((event) => ({ topic, event })));
  };
  const kafka = { isConnected: true, sent: [] as { topic: string; event: OutgoingEvent }[] };
  const served: OutgoingEvent[] = [];
  const hub = new EventHub();
  const { settings, ...rest } = overrides;
  const app = buildApp({
    logger,
    metrics,
    snapshots,
    hub,
    view: new ListenerView(() => new Date('2025-01-02T03:04:05Z')),
    outcomes: { current: undefined },
    feed: { isViewRebuilt: true, problem: undefined },
    listenerTokens: {
      userOf: async (token) => (token === 'token-of-anna' ? 'anna' : undefined),
      hasUser: async (user) => user === 'anna',
    },
    catchUp: {
      positionAfter: () => Promise.reject(new CannotCatchUp('there is no Kafka here')),
      read: () => Promise.reject(new CannotCatchUp('there is no Kafka here')),
    },
    outbox: { add: (event) => void served.push(event) },
    producer: {
      get isConnected() {
        return kafka.isConnected;
      },
      send,
      deliver: (topic, events) => send(topic, events, 0),
      close: async () => undefined,
    },
    pipeline: {
      start: async (run) => ({ workflowId: run, isNew: true }),
      forget: async () => ({ workflowId: 'forget-user/test', isNew: true }),
      list: async () => [],
      describe: async () => undefined,
      decide: async (weekEnd) => ({ workflowId: `weekly-trends/${weekEnd}` }),
    },
    models: {
      list: async () => ({ pointer: undefined, models: [] }),
      rollBack: async (modelVersion) => ({ modelVersion, previous: 'als-1', outcome: 'published' }),
    },
    now: () => new Date('2025-01-02T03:04:05Z'),
    ...rest,
    settings: {
      earliestListen: rules.time.earliest,
      token: testToken,
      readAuth: false,
      trustProxy: false,
      rateLimit: 100_000,
      scrobbleRateLimit: 100,
      streamsPerAddress: 10,
      viewTimeoutMs: 60_000,
      isAccepting: () => true,
      ...settings,
    },
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { app, url, store, snapshots, kafka, served, hub, metrics, stop };
}

export type ApiWorld = Awaited<ReturnType<typeof startApi>>;

/** One request; answers status, headers and the parsed body. */
export async function ask(
  world: { readonly url: string },
  path: string,
  { token, body, ...init }: Omit<RequestInit, 'body'> & { token?: string; body?: unknown } = {},
): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> {
  const response = await fetch(`${world.url}${path}`, {
    ...init,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(init.headers as Record<string, string>),
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}
