import { Context, heartbeat } from '@temporalio/activity';
import { progressSignalName, type ProgressReport } from '../contracts/progress.ts';

const shortestGapMs = 2_000;
/** A run of h hours sends a few hundred reports at most: the gap grows with the time already spent. */
const gapShareOfElapsed = 0.02;

/** Tells an activity's heartbeat and its run how far it is; signals are spaced so that history stays small. */
export interface ProgressReporter {
  report(progress: ProgressReport): void;
}

/** A reporter for the activity that is running now. */
export function createProgressReporter(): ProgressReporter {
  const { client, info, log } = Context.current();
  const execution = info.workflowExecution;
  const startedAt = Date.now();
  let lastSentAt = 0;
  return {
    report(progress) {
      heartbeat(progress);
      const now = Date.now();
      const gapMs = Math.max(shortestGapMs, (now - startedAt) * gapShareOfElapsed);
      if (!execution || now - lastSentAt < gapMs) return;
      lastSentAt = now;
      client.workflow
        .getHandle(execution.workflowId, execution.runId)
        .signal(progressSignalName, progress)
        .catch((error: unknown) => log.warn('could not report progress', { error: String(error) }));
    },
  };
}
