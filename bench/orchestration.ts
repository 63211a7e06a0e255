import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { startStack } from '../stack/stack.ts';
import { median, writeResult } from './results.ts';

const rounds = 5;
const steps = 20;
const taskQueue = 'bench-orchestration';
/** Airflow 3.1.8, LocalExecutor, 20 no-op tasks in a row, measured once on a machine of this kind. */
const airflowMsPerTask = 1_235;

/** What Temporal costs per step: activities that do nothing, one after another, on the embedded server as it is shipped. */
export async function benchOrchestration(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'segue-bench-'));
  const stack = await startStack({ stateDir: join(folder, 'state'), services: ['temporal'] });
  try {
    const msPerStep = await measure(stack.env['SEGUE_TEMPORAL_ADDRESS']!);
    const medianMs = median(msPerStep);
    const path = await writeResult('orchestration', { steps, msPerStep, medianMsPerStep: medianMs, airflowMsPerTask });
    console.log(`median ${medianMs.toFixed(1)} ms a step, Airflow ${airflowMsPerTask} ms a task; written to ${path}`);
  } finally {
    await stack.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(address: string): Promise<number[]> {
  const connection = await NativeConnection.connect({ address });
  const client = new Client({ connection: await Connection.connect({ address }) });
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowsPath: fileURLToPath(new URL('./workflows/no-op-steps.ts', import.meta.url)),
    activities: { noOp: async () => undefined },
  });
  const run = async (round: number): Promise<number> => {
    const startedAt = performance.now();
    await client.workflow.execute('noOpSteps', { taskQueue, workflowId: `bench/no-op/${round}`, args: [steps] });
    return (performance.now() - startedAt) / steps;
  };
  try {
    return await worker.runUntil(async () => {
      await run(0);
      const figures: number[] = [];
      for (let round = 1; round <= rounds; round++) figures.push(await run(round));
      return figures;
    });
  } finally {
    await client.connection.close();
    await connection.close();
  }
}
