import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  condition,
  CancellationScope,
  defineSignal,
  log,
  ParentClosePolicy,
  proxyActivities,
  setHandler,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import type { WriteLockActivities } from '../contracts/activities.ts';
import {
  writeLockId,
  writeLocksOf,
  type TablePath,
  type WriteLockName,
  type WriteLockWait,
} from '../contracts/write-locks.ts';
import { quick, waiting } from './activity-options.ts';

type Holder = ChildWorkflowHandle<typeof holdWriteLock>;

const { describeWriteLock } = proxyActivities<WriteLockActivities>(quick);
const { awaitWriteLock } = proxyActivities<WriteLockActivities>(waiting);
const releaseSignal = defineSignal('release');

/**
 * Holds a write lock. Temporal allows a single open run per workflow id, so the open run is the lock. The run ends
 * when the lock is released, or when its parent ends. No lease, clock or clean-up is needed.
 */
export async function holdWriteLock(): Promise<void> {
  let isReleased = false;
  setHandler(releaseSignal, () => {
    isReleased = true;
  });
  await condition(() => isReleased);
}

/** Shows the lock that a run waits for. Every ProgressTracker implements it. */
export interface LockWatcher {
  waitFor(wait: WriteLockWait | undefined): void;
}

/**
 * Runs `work` while the run holds the locks of the tables that it writes. A quarantine table shares the lock of its
 * bronze table. The run waits for its turn and shows the run that it waits for. Do not nest calls: a run takes all of
 * its locks at once, in a fixed order.
 */
export async function withWriteLocks<Result>(
  watcher: LockWatcher,
  tables: readonly TablePath[],
  work: () => Promise<Result>,
): Promise<Result> {
  const holders: Holder[] = [];
  try {
    for (const lock of writeLocksOf(tables)) holders.push(await acquire(watcher, lock));
    return await work();
  } finally {
    await CancellationScope.nonCancellable(() => Promise.all(holders.map(release)));
  }
}

async function acquire(watcher: LockWatcher, lock: WriteLockName): Promise<Holder> {
  for (;;) {
    const holder = await tryToHold(lock);
    if (holder) return holder;
    await waitForTurn(watcher, lock);
  }
}

async function waitForTurn(watcher: LockWatcher, lock: WriteLockName): Promise<void> {
  const holder = await describeWriteLock(lock);
  if (!holder) return;
  const { heldBy, heldSince } = holder;
  log.info('waits for a write lock', { lock, heldBy, heldSince });
  watcher.waitFor({ lock, heldBy, heldSince });
  await awaitWriteLock.executeWithOptions({ summary: `${lock}, held by ${heldBy}` }, [holder]);
  watcher.waitFor(undefined);
}

/** The lock, or undefined when another run has it. */
async function tryToHold(lock: WriteLockName): Promise<Holder | undefined> {
  try {
    // Not cancellable: a cancelled run keeps its lock until its last writer has stopped.
    return await CancellationScope.nonCancellable(() => startHolder(lock));
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return undefined;
    throw error;
  }
}

function startHolder(lock: WriteLockName): Promise<Holder> {
  return startChild(holdWriteLock, {
    workflowId: writeLockId(lock),
    parentClosePolicy: ParentClosePolicy.TERMINATE,
    staticSummary: `write lock on ${lock}`,
  });
}

async function release(holder: Holder): Promise<void> {
  try {
    await holder.signal(releaseSignal);
    await holder.result();
  } catch (error) {
    // An operator ended the holder by hand: the lock is free, which is all that a release is for.
    log.warn('write lock was already gone', { lock: holder.workflowId, error: String(error) });
  }
}
