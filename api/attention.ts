import type { Client } from '@temporalio/client';
import { workflowTypes } from '../contracts/ids.ts';
import type { Logger } from '../platform/logger.ts';
import type { ApiMetrics } from './metrics.ts';

const everyMs = 60_000;

/**
 * Keeps the metrics of what waits for a person: weekly files under review, schedules that are paused. While Temporal is away
 * they keep their last value, and that it is away is told elsewhere.
 */
export function watchAttention(client: Client, metrics: ApiMetrics, logger: Logger): { stop(): void } {
  const look = async (): Promise<void> => {
    try {
      metrics.weeklyFilesWaiting.set(await countReviews(client));
      metrics.schedulesPaused.set(await countPaused(client));
    } catch (error) {
      logger.debug({ err: error }, 'could not ask Temporal what waits for a person');
    }
  };
  void look();
  const timer = setInterval(() => void look(), everyMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

async function countReviews(client: Client): Promise<number> {
  const query = `WorkflowType = '${workflowTypes.reviewWeeklyFile}' AND ExecutionStatus = 'Running'`;
  return (await client.workflow.count(query)).count;
}

async function countPaused(client: Client): Promise<number> {
  let paused = 0;
  for await (const { state } of client.schedule.list()) if (state.paused) paused++;
  return paused;
}
