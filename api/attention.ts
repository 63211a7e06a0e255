import type { Client } from '@temporalio/client';
import { workflowTypes } from '../contracts/ids.ts';
import type { Logger } from '../platform/logger.ts';
import type { ApiMetrics } from './metrics.ts';

const everyMs = 60_000;

/**
 * Keeps the metrics of work that waits for a person: weekly files under review, paused schedules, a failed refresh.
 * While Temporal is away the metrics keep their last value, and a different metric reports that Temporal is away.
 * `looked` resolves after the first look.
 */
export function watchAttention(
  client: Client,
  metrics: ApiMetrics,
  logger: Logger,
): { readonly looked: Promise<void>; stop(): void } {
  const look = async (): Promise<void> => {
    try {
      metrics.weeklyFilesWaiting.set(await countReviews(client));
      metrics.schedulesPaused.set(await countPaused(client));
      metrics.refreshFailed.set(Number(await hasRefreshFailed(client)));
    } catch (error) {
      logger.debug({ err: error }, 'could not ask Temporal what waits for a person');
    }
  };
  const looked = look();
  const timer = setInterval(() => void look(), everyMs);
  timer.unref();
  return { looked, stop: () => clearInterval(timer) };
}

async function countReviews(client: Client): Promise<number> {
  const query = `WorkflowType = '${workflowTypes.reviewWeeklyFile}' AND ExecutionStatus = 'Running'`;
  return (await client.workflow.count(query)).count;
}

/** A refresh that a person ended says nothing about the recommendations. The refresh before it counts. */
async function hasRefreshFailed(client: Client): Promise<boolean> {
  const query = `WorkflowType = '${workflowTypes.refreshRecommendations}' AND ExecutionStatus IN ('Completed', 'Failed', 'TimedOut')`;
  // Temporal lists the run that closed last first.
  for await (const { status } of client.workflow.list({ query, pageSize: 1 })) return status.name !== 'COMPLETED';
  return false;
}

async function countPaused(client: Client): Promise<number> {
  let paused = 0;
  for await (const { state } of client.schedule.list()) if (state.paused) paused++;
  return paused;
}
