import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { openStream } from '../test/support/event-stream.ts';
import { startLiveWorld, type LiveWorld } from '../test/support/live-world.ts';
import { smallTables } from '../test/support/snapshots.ts';
import { until } from '../test/support/wait.ts';
import { writeResult } from './results.ts';
import { loadEvenly, loadFully, type LoadResult } from './support/http-load.ts';

const users = 500;
const recommendationsEach = 100;
const clients = 1_000;
const eventsPerSecond = 20;
const requestsPerSecond = 200;
const seconds = 60;
const answerRounds = 3;
const answerSeconds = 6;
const connections = 32;

/**
 * The API's side of live events, with Kafka and MinIO alone: what the event of an answer costs, and a thousand watchers who are
 * told of posted listens while recommendations are asked for.
 */
export async function benchEventStream(): Promise<void> {
  const world = await startLiveWorld(benchTables());
  try {
    const answers = await measureAnswers(world);
    const watchers = await measureWatchers(world);
    const path = await writeResult('event-stream', { answers, watchers });
    console.log(JSON.stringify({ answers, watchers }, null, 2));
    console.log(`written to ${path}`);
  } finally {
    await world.stop();
  }
}

/** As many users and recommendations as the demo data has, over a few tracks. */
function benchTables(): ReturnType<typeof smallTables> {
  const tables = smallTables('bench');
  const reason = { reason_type: 'because_you_played', reason_track_id: 't3', model_version: 'bench' };
  const recommendations = Array.from({ length: users }, (_, user) =>
    Array.from({ length: recommendationsEach }, (_track, rank) => ({
      user_id: String(user).padStart(4, '0'),
      rank: rank + 1,
      track_id: `t${1 + (rank % 3)}`,
      score: 1 - rank / recommendationsEach,
      ...reason,
    })),
  ).flat();
  return { ...tables, recommendations };
}

function recommendationOf(base: string): (request: number) => string {
  return (request) => `${base}/recommendations/${String(request % users).padStart(4, '0')}`;
}

/** Answers a second with the event and without, interleaved: each time a fresh process, and a warm-up that is not counted. */
async function measureAnswers(world: LiveWorld): Promise<object> {
  const perSecond = { with: [] as number[], without: [] as number[] };
  for (let round = 0; round < answerRounds; round++) {
    for (const mode of ['without', 'with'] as const) perSecond[mode].push(await measureMode(world, mode));
  }
  const best = (values: readonly number[]): number => Math.max(...values);
  const share = best(perSecond.with) / best(perSecond.without);
  return { perSecond, share: Math.round(share * 1_000) / 1_000 };
}

async function measureMode(world: LiveWorld, mode: 'with' | 'without'): Promise<number> {
  const port = String(world.stack.ports.api);
  const server = execa('node', ['--import', 'tsx', 'bench/support/answer-server.ts', mode], {
    env: { ...world.stack.env, SEGUE_API_PORT: port },
    reject: false,
    stdin: 'ignore',
  });
  const base = `http://127.0.0.1:${port}`;
  try {
    await until('the server is ready', async () => (await fetch(`${base}/readyz`).catch(() => undefined))?.ok);
    await loadFully(recommendationOf(base), { connections, seconds: 3 });
    const load = await loadFully(recommendationOf(base), { connections, seconds: answerSeconds });
    if (load.failures > 0) throw new Error(`${load.failures} answers failed`);
    return load.perSecond;
  } finally {
    server.kill('SIGTERM');
    await server;
  }
}

async function measureWatchers(world: LiveWorld): Promise<object> {
  const api = await world.startApi();
  const streamUrl = `${api.url}/events/stream?types=listen`;
  const child = execa('node', ['--import', 'tsx', 'bench/support/stream-clients.ts', streamUrl, String(clients)], {
    stderr: 'inherit',
    reject: false,
    buffer: false,
  });
  const lines = createInterface({ input: child.stdout });
  await once(lines, 'line');
  const watcher = await openStream(streamUrl);
  await sleep(1_000);

  const posting = postEvenly(world, api.url);
  const load = await loadEvenly(recommendationOf(api.url), { perSecond: requestsPerSecond, seconds });
  const posted = await posting;
  await sleep(2_000);

  const process = await readMetrics(api.url);
  const answer = once(lines, 'line') as Promise<[string]>;
  child.stdin.write('\n');
  const seen = JSON.parse((await answer)[0]) as {
    open: number;
    fewest: number;
    different: number;
    repeated: number;
    seen: string[];
  };
  watcher.close();
  await child;
  await api.stop();
  return {
    clients: seen.open,
    posted: posted.size,
    everyClientGot: { fewest: seen.fewest, differentFromTheFirst: seen.different, repeated: seen.repeated },
    postToWatcherMs: delays(posted, watcher.arrivals()),
    recommendations: load satisfies LoadResult,
    api: process,
  };
}

/** Posts one listen at a time; answers when each was accepted, by event id. */
async function postEvenly(world: LiveWorld, base: string): Promise<ReadonlyMap<string, number>> {
  const accepted = new Map<string, number>();
  const startedAt = performance.now();
  const pending: Promise<void>[] = [];
  for (let post = 0; post < eventsPerSecond * seconds; post++) {
    const wait = startedAt + (post * 1_000) / eventsPerSecond - performance.now();
    if (wait > 0) await sleep(wait);
    pending.push(postOne(world.token, base, String(post % users).padStart(4, '0'), accepted));
  }
  await Promise.all(pending);
  return accepted;
}

async function postOne(token: string, base: string, user: string, accepted: Map<string, number>): Promise<void> {
  const event_id = randomUUID();
  const response = await fetch(`${base}/ingest/listening-event`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ event_id, user_id: user, track_id: 't1', event_type: 'complete_listen' }),
  });
  if (response.status !== 202) throw new Error(`a post was answered with ${response.status}`);
  accepted.set(event_id, performance.now());
  await response.arrayBuffer();
}

/** From the 202 to the watcher; an event can be there before its 202 is. */
function delays(posted: ReadonlyMap<string, number>, arrivals: ReadonlyMap<string, number>): object {
  const all = [...posted].map(([id, at]) => Math.max(0, (arrivals.get(id) ?? Infinity) - at));
  const sorted = all.toSorted((one, other) => one - other);
  const at = (share: number): number => Math.round(sorted[Math.floor((sorted.length - 1) * share)]!);
  return { p50: at(0.5), p95: at(0.95), most: at(1) };
}

async function readMetrics(base: string): Promise<object> {
  const text = await (await fetch(`${base}/metrics`)).text();
  const value = (name: string): number => Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
  return {
    residentMiB: Math.round(value('process_resident_memory_bytes') / 2 ** 20),
    eventLoopDelayMs: {
      mean: Math.round(value('nodejs_eventloop_lag_mean_seconds') * 10_000) / 10,
      p99: Math.round(value('nodejs_eventloop_lag_p99_seconds') * 10_000) / 10,
    },
    streamClientsDropped: value('segue_event_stream_clients_dropped_total'),
  };
}
