import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../stack/free-port.ts';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { defaultSeedOptions } from '../../generators/options.ts';
import { generateSeed } from '../../generators/seed.ts';
import { taskQueue } from '../../contracts/ids.ts';
import { lake } from '../../contracts/lake.ts';
import { startStack, type RunningStack, type StartStackOptions } from '../../stack/stack.ts';
import { startHeldProxy, type HeldProxy } from './held-proxy.ts';
import { installed } from './installed.ts';
import { describeTables, type LakeReader, type TableDigest } from './lake.ts';

/** The whole product on free ports in a temporary folder, with a small data set that was generated for it. */
export interface PipelineWorld {
  readonly stack: RunningStack;
  readonly client: Client;
  readonly dataDir: string;
  readonly lake: LakeReader;
  /** Stands between the worker and MinIO. */
  readonly proxy: HeldProxy;
  readonly apiUrl: string;
  readonly token: string;
  start(type: string, workflowId: string, input?: unknown): Promise<WorkflowHandle>;
  /** Every bronze and quarantine table as another reader sees it. */
  tables(): Promise<Readonly<Record<string, TableDigest | null>>>;
  stop(): Promise<void>;
}

/** 30 days of 60 users: 60,000 events. */
const smallWorld = { ...defaultSeedOptions, days: 30, users: 60, songs: 1_500, eventsPerDay: 2_000 };

/** A test's rows are few: to compile what runs once as well as the JVM can would take half of two cores. */
const compileLittle = '-XX:+UseParallelGC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -Xss8m';

const bronzeNames = lake.tables.filter((table) => table.layer === 'bronze').map((table) => table.name);

/** `patience` says how long a service that died stays away; `prepare` sees the state folder before anything starts. */
interface WorldOptions extends Pick<StartStackOptions, 'patience' | 'overrides'> {
  readonly prepare?: (stateDir: string) => Promise<void>;
}

/** Boots everything; takes about a minute. */
export async function startPipelineWorld({
  prepare,
  overrides,
  ...options
}: WorldOptions = {}): Promise<PipelineWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'segue-world-'));
  const stateDir = join(folder, 'state');
  const dataDir = join(folder, 'landing');
  await prepare?.(stateDir);
  await generateSeed(smallWorld, dataDir);
  const minioPort = await freePort();
  const proxy = await startHeldProxy(minioPort);
  const stack = await startStack({
    stateDir,
    dataDir,
    installed: await installed(),
    ports: { minio: minioPort },
    sparkJavaOptions: compileLittle,
    overrides: { SEGUE_S3_ENDPOINT: `http://127.0.0.1:${proxy.port}`, ...overrides },
    ...options,
  });
  const connection = await Connection.connect({ address: stack.env['SEGUE_TEMPORAL_ADDRESS']! });
  const client = new Client({ connection });
  const reader = lakeReader(stack, minioPort);
  return {
    stack,
    client,
    dataDir,
    lake: reader,
    proxy,
    apiUrl: `http://127.0.0.1:${stack.ports.api}`,
    token: readSecret(stack, 'SEGUE_API_TOKEN_FILE'),
    start: (type, workflowId, input) =>
      client.workflow.start(type, { taskQueue, workflowId, args: input === undefined ? [] : [input] }),
    tables: () =>
      describeTables(
        reader,
        bronzeNames.flatMap((name) => [`bronze/${name}`, `quarantine/${name}`]),
      ),
    stop: async () => {
      await connection.close();
      await stack.stop();
      await proxy.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The same with bronze loaded; silver and gold are still to come. */
export async function startLoadedWorld(options: WorldOptions = {}): Promise<PipelineWorld> {
  const world = await startPipelineWorld(options);
  try {
    await (await world.start('initialDataLoad', 'initial-load', { refresh: false })).result();
    return world;
  } catch (error) {
    await world.stop();
    throw error;
  }
}

function lakeReader(stack: RunningStack, minioPort: number): LakeReader {
  return {
    python: stack.installed.python,
    env: {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${minioPort}`,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: readSecret(stack, 'SEGUE_S3_ACCESS_KEY_FILE'),
      AWS_SECRET_ACCESS_KEY: readSecret(stack, 'SEGUE_S3_SECRET_KEY_FILE'),
    },
  };
}

function readSecret(stack: RunningStack, variable: string): string {
  return readFileSync(stack.env[variable]!, 'utf8').trim();
}
