import { log, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type {
  MaintenanceActivities,
  MaintenanceGroup,
  MaintenanceInput,
  MaintenanceResult,
  TableMaintenance,
} from '../contracts/maintenance.ts';
import { snapshotsOf, type TablePath } from '../contracts/write-locks.ts';
import { quick, sparkJob } from './activity-options.ts';
import { checkInput } from './input.ts';
import { trackProgress, type ProgressTracker } from './progress.ts';
import { withWriteLocks } from './write-lock.ts';

const { planMaintenance, pruneSnapshots } = proxyActivities<MaintenanceActivities>(quick);
const { maintainTables } = proxyActivities<MaintenanceActivities>(sparkJob);

/**
 * Maintains the lake: merges small files, removes files that no version in use needs, shortens logs and removes old
 * snapshots. The run holds a single lock at a time, so that a load waits for at most a single group of tables. A
 * second run finds nothing to do.
 */
export async function maintainLakehouse(input: MaintenanceInput = {}): Promise<MaintenanceResult> {
  const progress = trackProgress();
  checkInput('maintainLakehouse', input);
  progress.enter('looking at the lake');
  const { retentionHours, groups, missing } = await planMaintenance(input);
  if (missing.length > 0) log.info('tables that are not there yet', { missing });

  const tables: TableMaintenance[] = [];
  for (const group of groups) tables.push(...(await maintainGroup(progress, group, retentionHours)));

  const snapshots = await withWriteLocks(progress, [snapshotsOf], () => {
    progress.enter('removing old snapshots');
    return pruneSnapshots({ ranAt: startedAt(), retentionHours });
  });
  progress.enter('done');
  return { retentionHours, tables, missing, snapshots };
}

function maintainGroup(
  progress: ProgressTracker,
  { lock, tables }: MaintenanceGroup,
  retentionHours: number,
): Promise<readonly TableMaintenance[]> {
  // Named by planMaintenance after the tables of the contract.
  return withWriteLocks(progress, tables as readonly TablePath[], async () => {
    progress.enter(`looking after ${lock}`);
    const { workflowId, runId } = workflowInfo();
    const runKey = `${workflowId}/${runId}/${lock}`;
    const job = { runKey, tables, retentionHours };
    const { tables: results } = await maintainTables.executeWithOptions({ summary: tables.join(', ') }, [job]);
    return results;
  });
}

function startedAt(): string {
  return workflowInfo().startTime.toISOString();
}
