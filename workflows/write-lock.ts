import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  condition,
  CancellationScope,
  defineSignal,
  log,
  ParentClosePolicy,
  setHandler,
  sleep,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { writeLockId, type WriteLockName } from '../contracts/ids.ts';

const releaseSignal = defineSignal('release');
const firstWaitMs = 500;
const longestWaitMs = 10_000;

/**
 * Holds a write lock: Temporal keeps at most one open run per workflow id, so this run being open is the lock. It ends
 * when released, and is ended with its parent however that ends; no lease, no clock and no clean-up are needed.
 */
export async function holdWriteLock(): Promise<void> {
  let isReleased = false;
  setHandler(releaseSignal, () => {
    isReleased = true;
  });
  await condition(() => isReleased);
}

/** Runs `work` while holding a lock on what it writes; waits its turn behind other runs. */
export async function withWriteLock<Result>(lock: WriteLockName, work: () => Promise<Result>): Promise<Result> {
  const holder = await acquire(lock);
  try {
    return await work();
  } finally {
    await CancellationScope.nonCancellable(() => release(holder));
  }
}

async function acquire(lock: WriteLockName): Promise<ChildWorkflowHandle<typeof holdWriteLock>> {
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    try {
      // Not cancellable: a cancelled run keeps its lock until its last writer has stopped.
      return await CancellationScope.nonCancellable(() => startHolder(lock));
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      await sleep(waitMs);
    }
  }
}

function startHolder(lock: WriteLockName): Promise<ChildWorkflowHandle<typeof holdWriteLock>> {
  return startChild(holdWriteLock, {
    workflowId: writeLockId(lock),
    parentClosePolicy: ParentClosePolicy.TERMINATE,
    staticSummary: `write lock on ${lock}`,
  });
}

async function release(holder: ChildWorkflowHandle<typeof holdWriteLock>): Promise<void> {
  try {
    await holder.signal(releaseSignal);
    await holder.result();
  } catch (error) {
    // An operator ended the holder by hand: the lock is free, which is all that a release is for.
    log.warn('write lock was already gone', { lock: holder.workflowId, error: String(error) });
  }
}
