import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { TokenFile } from '../../api/listenbrainz/tokens.ts';
import { freePort } from '../../stack/free-port.ts';
import type { RunningStack } from '../../stack/stack.ts';
import { startApiProcess } from './api-process.ts';
import type { FuzzedApi } from './fuzzer.ts';
import { scripted } from './scripted-activities.ts';
import { bundleWorkflows, quietRuntime } from './temporal.ts';
import { until } from './wait.ts';

const taskQueue = 'fuzzed';

/**
 * An API process that may be fuzzed over a running stack (with Temporal, MinIO and Kafka, and something published): what it
 * posts is in Kafka in earnest, but the runs it starts, of which some forget users, go to a task queue of their own, whose worker
 * has the real workflows and activities that touch nothing.
 */
export interface RunningFuzzedApi extends FuzzedApi {
  /** What the API has logged so far. */
  log(): string;
  /** Ends the process and what it has started, locks among it. Safe to call twice. */
  stop(): Promise<void>;
}

export async function startFuzzedApi(stack: RunningStack, client: Client): Promise<RunningFuzzedApi> {
  quietRuntime();
  const connection = await NativeConnection.connect({ address: stack.env['SEGUE_TEMPORAL_ADDRESS']! });
  const worker = await Worker.create({
    connection,
    workflowBundle: await bundleWorkflows(),
    taskQueue,
    activities: { ...scripted().activities },
  });
  const running = worker.run();
  const api = await startApiProcess({
    ...stack.env,
    SEGUE_API_PORT: String(await freePort()),
    SEGUE_TASK_QUEUE: taskQueue,
    SEGUE_API_RATE_LIMIT: '1000000',
    SEGUE_API_SCROBBLE_RATE_LIMIT: '1000000',
  });
  await until('the API is ready', async () => (await fetch(`${api.url}/readyz`)).ok);
  let hasStopped = false;
  const tokens = new TokenFile(join(stack.env['SEGUE_SECRETS_DIR']!, 'listener_tokens.json'));
  return {
    url: api.url,
    token: readFileSync(stack.env['SEGUE_API_TOKEN_FILE']!, 'utf8').trim(),
    listenerToken: await tokens.create('1', new Date()),
    log: () => api.log(),
    stop: async () => {
      if (hasStopped) return;
      hasStopped = true;
      await api.stop();
      worker.shutdown();
      await running;
      await connection.close();
      const open = client.workflow.list({ query: `TaskQueue = '${taskQueue}' AND ExecutionStatus = 'Running'` });
      for await (const { workflowId, runId } of open) await client.workflow.getHandle(workflowId, runId).terminate();
    },
  };
}
