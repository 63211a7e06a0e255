import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { execa } from 'execa';
import { z } from 'zod';
import { streamEventsId, taskQueue, workflowTypes } from '../../contracts/ids.ts';
import { progressQueryName } from '../../contracts/progress.ts';
import type { StreamEventsInput, StreamProgress } from '../../contracts/streams.ts';
import { createObjectStore, type ObjectStore } from '../../platform/object-store.ts';
import { startStack, type RunningStack, type StartStackOptions } from '../../stack/stack.ts';
import { installed } from './installed.ts';
import type { LakeReader } from './lake.ts';
import { until } from './wait.ts';

/** Everything that live events pass through, without the warm Spark that they do not need. */
export interface StreamWorld {
  readonly stack: RunningStack;
  readonly client: Client;
  readonly lake: LakeReader;
  readonly store: ObjectStore;
  readonly apiUrl: string;
  startStreams(input?: StreamEventsInput): Promise<WorkflowHandle>;
  progress(): Promise<StreamProgress | undefined>;
  /** Posts listens of one user each and answers their ids once they are accepted (202). */
  postListens(count: number, more?: Readonly<Record<string, unknown>>): Promise<readonly string[]>;
  stop(): Promise<void>;
}

/** Boots it on free ports in a temporary folder; takes about half a minute. */
export async function startStreamWorld(
  overrides: Readonly<Record<string, string>> = {},
  options: Partial<StartStackOptions> = {},
): Promise<StreamWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'segue-streams-'));
  const stack = await startStack({
    stateDir: join(folder, 'state'),
    services: ['temporal', 'minio', 'kafka', 'worker', 'api'],
    installed: await installed(),
    overrides: { SEGUE_API_RATE_LIMIT: '1000000', ...overrides },
    ...options,
  });
  const connection = await Connection.connect({ address: stack.env['SEGUE_TEMPORAL_ADDRESS']! });
  const client = new Client({ connection });
  const secret = (variable: string): string => readFileSync(stack.env[variable]!, 'utf8').trim();
  const token = secret('SEGUE_API_TOKEN_FILE');
  const api = `http://127.0.0.1:${stack.ports.api}`;
  await untilKafkaIsConnected(api);
  return {
    stack,
    client,
    lake: {
      python: stack.installed.python,
      env: {
        AWS_ENDPOINT_URL: stack.env['SEGUE_S3_ENDPOINT']!,
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: secret('SEGUE_S3_ACCESS_KEY_FILE'),
        AWS_SECRET_ACCESS_KEY: secret('SEGUE_S3_SECRET_KEY_FILE'),
      },
    },
    apiUrl: api,
    store: createObjectStore({
      endpoint: stack.env['SEGUE_S3_ENDPOINT']!,
      region: 'us-east-1',
      accessKey: secret('SEGUE_S3_ACCESS_KEY_FILE'),
      secretKey: secret('SEGUE_S3_SECRET_KEY_FILE'),
    }),
    startStreams: (input) =>
      client.workflow.start(workflowTypes.streamEvents, {
        taskQueue,
        workflowId: streamEventsId,
        args: input ? [input] : [],
      }),
    progress: () => queryProgress(client),
    postListens: (count, more = {}) => postListens(api, token, count, more),
    stop: async () => {
      await connection.close();
      await stack.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function untilKafkaIsConnected(api: string): Promise<void> {
  await until('the API has reached Kafka', async () => {
    const { checks } = (await (await fetch(`${api}/readyz`)).json()) as { checks: { kafka: boolean } };
    return checks.kafka;
  });
}

/** Undefined while no worker answers. */
async function queryProgress(client: Client): Promise<StreamProgress | undefined> {
  try {
    return await client.workflow.getHandle(streamEventsId).query<StreamProgress>(progressQueryName);
  } catch {
    return undefined;
  }
}

async function postListens(
  api: string,
  token: string,
  count: number,
  more: Readonly<Record<string, unknown>>,
): Promise<readonly string[]> {
  const listens = Array.from({ length: count }, (_, index) => ({
    event_id: randomUUID(),
    user_id: String(index % 50),
    track_id: '10001',
    event_type: 'complete_listen',
    ...more,
  }));
  const response = await fetch(`${api}/ingest/listening-event`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(listens),
  });
  if (response.status !== 202) throw new Error(`${response.status}: ${await response.text()}`);
  return ((await response.json()) as { event_ids: string[] }).event_ids;
}

const streamRows = z
  .object({
    rows: z.number(),
    version: z.number(),
    files: z.number(),
    values: z.record(z.string(), z.number()),
    doubled: z.number(),
  })
  .nullable();

/** A streamed table as a reader that is not Spark sees it: rows by event id; null where there is no table. */
export async function readStreamTable(
  reader: LakeReader,
  table: string,
  column = 'event_id',
): Promise<z.infer<typeof streamRows>> {
  const script = fileURLToPath(new URL('stream_rows.py', import.meta.url));
  const { stdout } = await execa(reader.python, [script, table, column], { env: reader.env });
  return streamRows.parse(JSON.parse(stdout));
}

/** Waits until the table has every one of these events, and answers the table. */
export async function untilInTable(
  reader: LakeReader,
  table: string,
  eventIds: readonly string[],
  timeoutMs = 60_000,
): Promise<NonNullable<z.infer<typeof streamRows>>> {
  return until(
    `${table} has all ${eventIds.length} events`,
    async () => {
      const found = await readStreamTable(reader, table);
      return found && eventIds.every((id) => found.values[id] !== undefined) ? found : undefined;
    },
    { timeoutMs, everyMs: 500 },
  );
}
