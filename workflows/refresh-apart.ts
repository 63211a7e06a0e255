import { CancelledFailure, TerminatedFailure, ChildWorkflowFailure } from '@temporalio/common';
import { CancellationScope, executeChild, log, workflowInfo } from '@temporalio/workflow';
import type { FailureType } from '../contracts/failures.ts';
import { refreshIdOf } from '../contracts/ids.ts';
import type { FailedRefresh, RefreshInput, RefreshResult } from '../contracts/runs.ts';
import { describeFailure } from './failure-of.ts';
import type { ProgressTracker } from './progress.ts';
import { refreshRecommendations } from './refresh-recommendations.ts';

const refreshStopped: FailureType = 'RefreshStopped';

/**
 * Runs the refresh as the last step, in a run of its own: if the refresh fails, the loaded rows stay in bronze.
 * Cancelling or ending this run also cancels or ends the refresh.
 */
export async function refreshApart(
  progress: ProgressTracker,
  input: RefreshInput = {},
): Promise<RefreshResult | FailedRefresh> {
  const { workflowId: parentId, workflowType } = workflowInfo();
  const workflowId = refreshIdOf({ workflowId: parentId });
  progress.enter(`refreshing: ${workflowId}`);
  try {
    return await executeChild(refreshRecommendations, {
      workflowId,
      args: [input],
      staticSummary: `refresh after ${workflowType}`,
    });
  } catch (error) {
    // A person may end the refresh alone; only the end of this run is its own.
    if (CancellationScope.current().consideredCancelled) throw error;
    const failed: FailedRefresh = { outcome: 'failed', ...reasonOf(error, workflowId), workflowId };
    log.warn('the refresh failed; the next one tries again', { refresh: workflowId, type: failed.type });
    progress.update({ failedRefresh: failed });
    return failed;
  }
}

function reasonOf(error: unknown, workflowId: string): Pick<FailedRefresh, 'type' | 'message'> {
  const isStopped =
    error instanceof ChildWorkflowFailure &&
    (error.cause instanceof CancelledFailure || error.cause instanceof TerminatedFailure);
  if (!isStopped) return describeFailure(error);
  return { type: refreshStopped, message: `${workflowId} was ended by hand; the next refresh makes up for it.` };
}
