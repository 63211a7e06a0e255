import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '../../platform/logger.ts';
import type { KafkaOptions } from '../../platform/kafka/client.ts';
import { createObjectStore, type ObjectStore } from '../../platform/object-store.ts';
import { startStack, type RunningStack } from '../../stack/stack.ts';
import { startApiProcess, type ApiProcess } from './api-process.ts';
import { installed } from './installed.ts';
import { publishSnapshot, smallTables } from './snapshots.ts';
import { until } from './wait.ts';

/** Kafka and MinIO with a small snapshot published: what the API's side of events needs, and no more. */
export interface LiveWorld {
  readonly stack: RunningStack;
  readonly kafka: KafkaOptions;
  readonly store: ObjectStore;
  readonly folder: string;
  readonly token: string;
  /** Starts the API, ready to answer; settings on top of the stack's. */
  startApi(overrides?: Readonly<Record<string, string>>): Promise<ApiProcess>;
  stop(): Promise<void>;
}

export async function startLiveWorld(tables = smallTables('als-1')): Promise<LiveWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'segue-live-'));
  const stack = await startStack({
    stateDir: join(folder, 'state'),
    services: ['minio', 'kafka'],
    installed: await installed(),
  });
  const secret = (variable: string): string => readFileSync(stack.env[variable]!, 'utf8').trim();
  const store = createObjectStore({
    endpoint: stack.env['SEGUE_S3_ENDPOINT']!,
    region: 'us-east-1',
    accessKey: secret('SEGUE_S3_ACCESS_KEY_FILE'),
    secretKey: secret('SEGUE_S3_SECRET_KEY_FILE'),
  });
  await publishSnapshot(store, 'als-1', tables);
  const logger = createLogger({ name: 'test', level: 'silent' });
  return {
    stack,
    kafka: { brokers: [stack.env['SEGUE_KAFKA_BROKERS']!], clientId: 'segue-test', logger },
    store,
    folder,
    token: secret('SEGUE_API_TOKEN_FILE'),
    startApi: async (overrides = {}) => {
      const api = await startApiProcess({ ...stack.env, ...overrides });
      await until('the API is ready', async () => (await fetch(`${api.url}/readyz`)).ok);
      return api;
    },
    stop: async () => {
      await stack.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
