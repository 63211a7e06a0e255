import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError, type WorkflowExecutionDescription } from '@temporalio/client';
import type { WriteLockActivities, WriteLockHolder } from '../contracts/activities.ts';
import { writeLockId, type WriteLockName } from '../contracts/write-locks.ts';

/** The interval at which a waiting run checks for its turn. A check costs the server a single read of its memory. */
const lookEveryMs = 250;

/** The activities of a run that waits for a write lock; they ask the Temporal server that the worker works for. */
export function createWriteLockActivities(): WriteLockActivities {
  return { describeWriteLock, awaitWriteLock };
}

async function describeWriteLock(lock: WriteLockName): Promise<WriteLockHolder | undefined> {
  const held = await describeOpenRun(writeLockId(lock));
  if (!held) return undefined;
  return {
    lock,
    // A lock that an operator took by hand has no parent: its own id says so.
    heldBy: held.parentExecution?.workflowId ?? held.workflowId,
    heldSince: held.startTime.toISOString(),
    lockRunId: held.runId,
  };
}

async function awaitWriteLock({ lock, lockRunId }: WriteLockHolder): Promise<void> {
  const context = Context.current();
  while (await describeOpenRun(writeLockId(lock), lockRunId)) {
    context.heartbeat({ lock });
    await context.sleep(lookEveryMs);
  }
}

async function describeOpenRun(workflowId: string, runId?: string): Promise<WorkflowExecutionDescription | undefined> {
  try {
    const run = await Context.current().client.workflow.getHandle(workflowId, runId).describe();
    return run.status.name === 'RUNNING' ? run : undefined;
  } catch (error) {
    // The run is gone, retention included: no run holds the lock.
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
