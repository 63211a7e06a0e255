import { Connection, WorkflowClient } from '@temporalio/client';
import { streamEventsId, workflowTypes } from '../contracts/ids.ts';
import { temporalOf } from './environment.ts';

/**
 * Ensures that the Kafka → Delta streams run: starts `streamEvents`, or keeps the open run. Returns at once, although
 * the driver needs some moments more.
 */
export async function keepStreaming(env: Readonly<Record<string, string>>): Promise<void> {
  const { access, namespace, taskQueue } = temporalOf(env);
  const connection = await Connection.connect(access);
  try {
    const client = new WorkflowClient({ connection, namespace });
    await client.start(workflowTypes.streamEvents, {
      workflowId: streamEventsId,
      taskQueue,
      staticSummary: 'Kafka → Delta, always on',
      workflowIdConflictPolicy: 'USE_EXISTING',
      args: [],
    });
  } finally {
    await connection.close();
  }
}
