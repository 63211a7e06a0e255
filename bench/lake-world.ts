import { readFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import { createObjectStore, type ObjectStore } from '../platform/object-store.ts';
import type { RunningStack } from '../stack/stack.ts';

/** How a bench reaches a stack: Temporal, the store, and the store's environment for processes of its own. */
export interface StackClients {
  readonly client: Client;
  readonly store: ObjectStore;
  readonly env: Readonly<Record<string, string>>;
}

/** Clients of a running stack. */
export async function connectTo(stack: RunningStack): Promise<StackClients> {
  const secret = async (variable: string): Promise<string> => (await readFile(stack.env[variable]!, 'utf8')).trim();
  const connection = await Connection.connect({ address: stack.env['SEGUE_TEMPORAL_ADDRESS']! });
  const endpoint = stack.env['SEGUE_S3_ENDPOINT']!;
  const accessKey = await secret('SEGUE_S3_ACCESS_KEY_FILE');
  const secretKey = await secret('SEGUE_S3_SECRET_KEY_FILE');
  return {
    client: new Client({ connection }),
    store: createObjectStore({ endpoint, region: 'us-east-1', accessKey, secretKey }),
    env: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: accessKey,
      AWS_SECRET_ACCESS_KEY: secretKey,
    },
  };
}
