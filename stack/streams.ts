import { Connection, WorkflowClient } from '@temporalio/client';
import { streamEventsId, taskQueue, workflowTypes } from '../contracts/ids.ts';

/**
 * Sees to it that the Kafka → Delta streams run: starts `streamEvents`, or leaves the open run as it is. Returns at once; the
 * driver needs some moments more, which nobody has to wait for.
 */
export async function keepStreaming(env: Readonly<Record<string, string>>): Promise<void> {
  const connection = await Connection.connect({ address: env['SEGUE_TEMPORAL_ADDRESS'] ?? '127.0.0.1:7233' });
  try {
    const client = new WorkflowClient({ connection, namespace: env['SEGUE_TEMPORAL_NAMESPACE'] || 'default' });
    await client.start(workflowTypes.streamEvents, {
      workflowId: streamEventsId,
      taskQueue: env['SEGUE_TASK_QUEUE'] || taskQueue,
      workflowIdConflictPolicy: 'USE_EXISTING',
      args: [],
    });
  } finally {
    await connection.close();
  }
}
