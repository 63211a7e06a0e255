import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { taskQueue } from '../contracts/ids.ts';
import { defaultSeedOptions } from '../generators/options.ts';
import { generateSeed } from '../generators/seed.ts';
import { startStack } from '../stack/stack.ts';
import { jobsDone, type JobSeconds } from './job-seconds.ts';
import { median, writeResult } from './results.ts';

/** One user's 5,000 listens of a year, where no import is given. */
const oneUser = { users: 1, songs: 2_000, eventsPerDay: 14 };
const warmRefreshes = 3;

interface Refresh {
  readonly seconds: number;
  readonly jobs: readonly JobSeconds[];
}

/**
 * Whole refreshes of 5,000 listens of one user: the first on a Spark that has just started, the others warm. `SEGUE_BENCH_LANDING`
 * names the folder of an import to take in place of generated listens.
 */
export async function benchSmallLake(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'segue-bench-'));
  const stateDir = join(folder, 'state');
  const dataDir = process.env['SEGUE_BENCH_LANDING'] ?? join(folder, 'landing');
  if (!process.env['SEGUE_BENCH_LANDING']) await generateSeed({ ...defaultSeedOptions, ...oneUser }, dataDir);
  const stack = await startStack({ stateDir, dataDir, services: ['temporal', 'minio', 'kafka', 'spark', 'worker'] });
  const connection = await Connection.connect({ address: stack.env['SEGUE_TEMPORAL_ADDRESS']! });
  try {
    const client = new Client({ connection });
    await execute(client, 'initialDataLoad', { refresh: false });
    const first = await refresh(client, stateDir, {});
    const warm: Refresh[] = [];
    for (let round = 0; round < warmRefreshes; round += 1) {
      warm.push(await refresh(client, stateDir, { force: true }));
    }
    const seconds = median(warm.map((one) => one.seconds));
    const path = await writeResult('small-lake', { firstSeconds: first.seconds, warmSeconds: seconds, first, warm });
    console.log(
      `5,000 listens: first refresh ${first.seconds.toFixed(1)} s, warm ${seconds.toFixed(1)} s; written to ${path}`,
    );
  } finally {
    await connection.close();
    await stack.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function refresh(client: Client, stateDir: string, input: object): Promise<Refresh> {
  const before = await jobsDone(stateDir);
  const seconds = await execute(client, 'refreshRecommendations', input);
  return { seconds, jobs: (await jobsDone(stateDir)).slice(before.length) };
}

async function execute(client: Client, type: string, input: object): Promise<number> {
  const startedAt = performance.now();
  await client.workflow.execute(type, { taskQueue, workflowId: `bench/${type}/${startedAt}`, args: [input] });
  return (performance.now() - startedAt) / 1000;
}
