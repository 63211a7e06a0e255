import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a load found: answers a second, and the time of each in milliseconds. */
export interface LoadResult {
  readonly requests: number;
  readonly failures: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly mostMs: number;
}

/** As many requests as so many connections can make, one after another on each. */
export async function loadFully(
  url: (request: number) => string,
  { connections, seconds }: { readonly connections: number; readonly seconds: number },
): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const endAt = performance.now() + seconds * 1_000;
  const times: number[] = [];
  let failures = 0;
  let request = 0;
  const one = async (): Promise<void> => {
    while (performance.now() < endAt) {
      const { ms, isGood } = await ask(url(request++), agent);
      times.push(ms);
      if (!isGood) failures++;
    }
  };
  await Promise.all(Array.from({ length: connections }, one));
  agent.destroy();
  return summarize(times, failures, seconds);
}

/** So many requests a second, evenly spaced, whether or not the ones before were answered. */
export async function loadEvenly(
  url: (request: number) => string,
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const startedAt = performance.now();
  const pending: Promise<void>[] = [];
  const times: number[] = [];
  let failures = 0;
  const count = async (answer: Promise<{ ms: number; isGood: boolean }>): Promise<void> => {
    const { ms, isGood } = await answer;
    times.push(ms);
    if (!isGood) failures++;
  };
  for (let request = 0; request < perSecond * seconds; request++) {
    const wait = startedAt + (request * 1_000) / perSecond - performance.now();
    if (wait > 0) await sleep(wait);
    pending.push(count(ask(url(request), agent)));
  }
  await Promise.all(pending);
  agent.destroy();
  return summarize(times, failures, seconds);
}

async function ask(url: string, agent: Agent): Promise<{ ms: number; isGood: boolean }> {
  const startedAt = performance.now();
  const isGood = await new Promise<boolean>((resolve) => {
    get(url, { agent }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200));
      response.on('error', () => resolve(false));
    }).on('error', () => resolve(false));
  });
  return { ms: performance.now() - startedAt, isGood };
}

function summarize(times: number[], failures: number, seconds: number): LoadResult {
  const sorted = times.toSorted((one, other) => one - other);
  const at = (share: number): number =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return {
    requests: times.length,
    failures,
    perSecond: round(times.length / seconds),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    mostMs: at(1),
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
