import { ScheduleAlreadyRunning, ScheduleOverlapPolicy, type Client, type ScheduleOptions } from '@temporalio/client';
import { maintenanceId, measureOutcomesId, weeklyTrendsId, workflowTypes } from '../contracts/ids.ts';
import type { Logger } from '../platform/logger.ts';

/** When a workflow is started by itself. Times are UTC. */
interface Schedule {
  readonly id: string;
  readonly workflowType: string;
  readonly calendar: { readonly dayOfWeek?: 'SUNDAY'; readonly hour: number; readonly minute: number };
  /** How late a run may be started that was missed while the server was away. */
  readonly catchupWindow: '1 day' | '7 days';
  readonly summary: string;
  /** The note of the schedule, for the operator. */
  readonly note: string;
}

/**
 * Every schedule of the product. A run does all the pending work, so the newest of several missed runs is enough: the
 * catch-up window is the interval of the schedule. A single overlapping run may queue, because data that arrives during
 * a run must not wait for the next day.
 */
const schedules: readonly Schedule[] = [
  {
    id: weeklyTrendsId,
    workflowType: workflowTypes.weeklyTrendsIngestion,
    calendar: { hour: 5, minute: 0 },
    catchupWindow: '1 day',
    summary: 'every weekly file that is not in the ledger',
    note: 'kept by the worker; see docs/runbooks/weekly-schedule-paused.md when it is paused',
  },
  {
    id: maintenanceId,
    workflowType: workflowTypes.maintainLakehouse,
    calendar: { dayOfWeek: 'SUNDAY', hour: 2, minute: 0 },
    catchupWindow: '7 days',
    summary: 'compaction, vacuum and checkpoints of every table',
    note: 'kept by the worker; see docs/runbooks/maintenance-failed.md when it is paused',
  },
  {
    id: measureOutcomesId,
    workflowType: workflowTypes.measureOutcomes,
    calendar: { hour: 6, minute: 30 },
    catchupWindow: '1 day',
    summary: 'what became of the tracks that were recommended',
    note: 'kept by the worker',
  },
];

/** Creates the schedules, or brings those that are there up to date; a pause, and its note, stay as an operator left them. */
export async function ensureSchedules(client: Client, taskQueue: string, logger: Logger): Promise<void> {
  for (const schedule of schedules) {
    const options = optionsOf(schedule, taskQueue);
    try {
      await client.schedule.create(options);
      logger.info({ schedule: schedule.id }, 'schedule created');
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      await client.schedule.getHandle(schedule.id).update(({ state }) => ({ ...options, state }));
      logger.info({ schedule: schedule.id }, 'schedule is up to date');
    }
  }
}

function optionsOf(schedule: Schedule, taskQueue: string): ScheduleOptions {
  return {
    scheduleId: schedule.id,
    spec: { calendars: [{ ...schedule.calendar, comment: `${schedule.summary}, UTC` }], timezone: 'UTC' },
    action: {
      type: 'startWorkflow',
      workflowType: schedule.workflowType,
      workflowId: schedule.id,
      taskQueue,
      args: [],
      staticSummary: schedule.summary,
    },
    policies: {
      overlap: ScheduleOverlapPolicy.BUFFER_ONE,
      catchupWindow: schedule.catchupWindow,
      pauseOnFailure: true,
    },
    state: { note: schedule.note },
  };
}
