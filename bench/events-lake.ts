import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readFileSync } from 'node:fs';
import { execa } from 'execa';
import { CompressionTypes, Kafka, logLevel, Partitioners } from 'kafkajs';
import { streamEventsId } from '../contracts/ids.ts';
import { descendants } from '../test/support/processes.ts';
import { readStreamTable, type StreamWorld } from '../test/support/stream-world.ts';
import { until } from '../test/support/wait.ts';

const table = 'bronze/listening_events_stream';
const listensPerSecond = 600;
const listensPerPost = 20;
const loadSeconds = 60;
const backlog = 1_000_000;
const idleSeconds = 30;
const clockTicksPerSecond = 100;

/** What live events cost on their way into the lake. */
export interface LakeFigures {
  readonly postedPerSecond: number;
  readonly accepted: number;
  /** Of the accepted ids: in Delta not exactly once, counted by a reader that is not Spark. */
  readonly notOnce: number;
  readonly acceptedToReadableMs: { readonly p50: number; readonly p95: number; readonly max: number };
  readonly backlog: {
    readonly records: number;
    readonly notOnce: number;
    /** Between the first and the last commit of the drain, without the first one's records. */
    readonly recordsPerSecond: number;
    /** From the start of `streamEvents`, a cold JVM included. */
    readonly secondsInAll: number;
  };
  readonly idle: { readonly cpuShareOfOneCore: number; readonly residentMiB: number };
}

/** 60 s of posts, then a backlog that a driver finds when it starts; the whole stack is up. */
export async function measureLake(world: StreamWorld, folder: string): Promise<LakeFigures> {
  await world.startStreams();
  const warm = await world.postListens(1);
  await until(
    'the first listen is readable',
    async () => (await readStreamTable(world.lake, table))?.values[warm[0]!],
    {
      timeoutMs: 180_000,
      everyMs: 1_000,
    },
  );
  const idle = await measureIdle(world);
  const acceptedAtMs = await postForAMinute(world);
  const commits = await commitsOnceAllAreIn(world, folder, acceptedAtMs.size + 1);
  const latencies = latenciesOf(acceptedAtMs, commits);
  const counted = await readStreamTable(world.lake, table);
  return {
    postedPerSecond: acceptedAtMs.size / loadSeconds,
    accepted: acceptedAtMs.size,
    notOnce: [...acceptedAtMs.keys()].filter((id) => counted?.values[id] !== 1).length,
    acceptedToReadableMs: { p50: quantile(latencies, 0.5), p95: quantile(latencies, 0.95), max: latencies.at(-1)! },
    backlog: await measureBacklog(world, folder),
    idle,
  };
}

/** Posts at a steady rate; answers when each id was accepted. A refused post fails the bench: nothing was wrong with Kafka. */
async function postForAMinute(world: StreamWorld): Promise<Map<string, number>> {
  const acceptedAtMs = new Map<string, number>();
  const posts: Promise<void>[] = [];
  const startedAt = Date.now();
  const everyMs = (1000 * listensPerPost) / listensPerSecond;
  for (let post = 0; post * everyMs < loadSeconds * 1000; post++) {
    await sleep(Math.max(0, startedAt + post * everyMs - Date.now()));
    posts.push(note(acceptedAtMs, world.postListens(listensPerPost)));
  }
  await Promise.all(posts);
  const seconds = (Date.now() - startedAt) / 1000;
  console.log(`${acceptedAtMs.size} listens accepted in ${seconds.toFixed(1)} s`);
  return acceptedAtMs;
}

async function note(acceptedAtMs: Map<string, number>, post: Promise<readonly string[]>): Promise<void> {
  const ids = await post;
  const now = Date.now();
  for (const id of ids) acceptedAtMs.set(id, now);
}

interface Commit {
  readonly readableAtMs: number;
  readonly eventIds: readonly string[];
}

/** The table's commits, once its rows are `rows` in number. */
async function commitsOnceAllAreIn(world: StreamWorld, folder: string, rows: number): Promise<readonly Commit[]> {
  const out = join(folder, 'commits.jsonl');
  const script = fileURLToPath(new URL('readable_times.py', import.meta.url));
  return until(
    `${rows} rows are readable`,
    async () => {
      await execa(world.lake.python, [script, table, out], { env: world.lake.env });
      const lines = (await readFile(out, 'utf8')).split('\n').filter(Boolean);
      const commits = lines.map((line) => JSON.parse(line) as Commit);
      return sum(commits.map(({ eventIds }) => eventIds.length)) >= rows && commits;
    },
    { timeoutMs: 240_000, everyMs: 5_000 },
  );
}

function latenciesOf(acceptedAtMs: ReadonlyMap<string, number>, commits: readonly Commit[]): number[] {
  const latencies = commits.flatMap(({ readableAtMs, eventIds }) =>
    eventIds.flatMap((id) => {
      const accepted = acceptedAtMs.get(id);
      return accepted === undefined ? [] : [Math.max(0, readableAtMs - accepted)];
    }),
  );
  return latencies.toSorted((one, other) => one - other);
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

async function measureBacklog(world: StreamWorld, folder: string): Promise<LakeFigures['backlog']> {
  const handle = world.client.workflow.getHandle(streamEventsId);
  await handle.cancel();
  await handle.result().catch(() => undefined);
  const before = await readStreamTable(world.lake, table, '_partition');
  const ids = await produceBacklog(world);
  const startedAt = Date.now();
  await world.startStreams();
  await until(
    'the backlog has drained',
    async () => {
      const progress = await world.progress();
      const stream = progress?.topics.find(({ topic }) => topic === 'user_listening_history');
      if (stream) console.log(`backlog: ${stream.rows} rows, lag ${stream.lag}, last batch ${stream.batchMs} ms`);
      return stream && stream.rows >= backlog;
    },
    { timeoutMs: 300_000, everyMs: 3_000 },
  );
  const commits = (await commitsOnceAllAreIn(world, folder, before!.rows + backlog)).filter(
    ({ readableAtMs }) => readableAtMs > startedAt,
  );
  const first = commits[0]!;
  const last = commits.at(-1)!;
  const counts = new Map<string, number>();
  for (const { eventIds } of commits) for (const id of eventIds) counts.set(id, (counts.get(id) ?? 0) + 1);
  return {
    records: backlog,
    notOnce: ids.filter((id) => counts.get(id) !== 1).length,
    recordsPerSecond: (backlog - first.eventIds.length) / ((last.readableAtMs - first.readableAtMs) / 1000),
    secondsInAll: (last.readableAtMs - startedAt) / 1000,
  };
}

async function produceBacklog(world: StreamWorld): Promise<readonly string[]> {
  const kafka = new Kafka({ brokers: [world.stack.env['SEGUE_KAFKA_BROKERS']!], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const run = randomUUID().slice(0, 8);
  const ids = Array.from({ length: backlog }, (_, index) => `${run}-${index}`);
  const batch = 5_000;
  for (let from = 0; from < backlog; from += batch) {
    const messages = ids.slice(from, from + batch).map((id, index) => {
      const user = String(index % 500);
      const at = new Date().toISOString();
      const event = {
        schema_version: 1,
        event_id: id,
        user_id: user,
        track_id: '10001',
        event_type: 'complete_listen',
      };
      return { key: user, value: JSON.stringify({ ...event, timestamp: at, received_at: at }) };
    });
    await producer.send({ topic: 'user_listening_history', messages, compression: CompressionTypes.GZIP });
  }
  await producer.disconnect();
  return ids;
}

/** What the driver costs while nothing comes. */
async function measureIdle(world: StreamWorld): Promise<LakeFigures['idle']> {
  // The first batches' compilation is not idling.
  await sleep(idleSeconds * 1000);
  const worker = world.stack.status().find(({ name }) => name === 'worker')!.pid!;
  const driver = descendants(worker).map(({ pid }) => pid);
  const before = sum(driver.map(cpuSeconds));
  await sleep(idleSeconds * 1000);
  return {
    cpuShareOfOneCore: (sum(driver.map(cpuSeconds)) - before) / idleSeconds,
    residentMiB: Math.round(sum(driver.map(residentKiB)) / 1024),
  };
}

function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / clockTicksPerSecond;
}

function residentKiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
