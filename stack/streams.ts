import { Connection, WorkflowClient } from '@temporalio/client';
import { streamEventsId, workflowTypes } from '../contracts/ids.ts';
import { temporalOf } from './environment.ts';

/**
 * Sees to it that the Kafka → Delta streams run: starts `streamEvents`, or leaves the open run as it is. Returns at once; the
 * driver needs some moments more, which nobody has to wait for.
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
