import assert from 'node:assert/strict';
import { ScheduleOverlapPolicy, type ScheduleHandle } from '@temporalio/client';
import { failure } from '../../../activities/failures.ts';
import type { WeeklyTrendsResult } from '../../../contracts/weekly.ts';
import { createLogger } from '../../../platform/logger.ts';
import { ensureSchedules } from '../../../worker/schedules.ts';
import { ensureSearchAttributes } from '../../../worker/search-attributes.ts';
import { scripted } from '../../support/scripted-activities.ts';
import { startTemporal, withWorker, type TemporalFixture } from '../../support/temporal.ts';
import { until } from '../../support/wait.ts';

const logger = createLogger({ name: 'test', level: 'silent' });

describe('the schedules', function () {
  this.timeout(60_000);
  let fixture: TemporalFixture;
  let weekly: ScheduleHandle;
  before(async () => {
    fixture = await startTemporal();
    weekly = fixture.env.client.schedule.getHandle('weekly-trends-ingestion');
  });
  after(() => fixture.env.teardown());
  afterEach(() => weekly.delete().catch(() => undefined));

  it('are created at the first start: daily, one run waiting, a day to catch up, paused by a failure', async () => {
    await ensureSchedules(fixture.env.client, 'segue', logger);
    const { spec, policies, state, action } = await weekly.describe();
    assert.deepEqual(
      [policies.overlap, policies.catchupWindow, policies.pauseOnFailure, state.paused],
      ['BUFFER_ONE', 86_400_000, true, false],
    );
    assert.deepEqual(
      [spec.calendars?.[0]?.hour, action.workflowType],
      [[{ start: 5, end: 5, step: 1 }], 'weeklyTrendsIngestion'],
    );
  });

  it('keep an operator’s pause and its note when a worker starts again', async () => {
    await ensureSchedules(fixture.env.client, 'segue', logger);
    await weekly.pause('MinIO moves to another machine');
    await ensureSchedules(fixture.env.client, 'another-queue', logger);
    const { state, action } = await weekly.describe();
    assert.deepEqual([state.paused, state.note], [true, 'MinIO moves to another machine']);
    assert.equal(action.taskQueue, 'another-queue');
  });

  it('start a run that says what time it was scheduled for, and go on after it', async () => {
    await withWorker(fixture, scripted().activities, async ({ taskQueue }) => {
      await ensureSchedules(fixture.env.client, taskQueue, logger);
      await weekly.trigger(ScheduleOverlapPolicy.BUFFER_ONE);
      const result = (await fixture.env.client.workflow
        .getHandle(await startedRun(weekly))
        .result()) as WeeklyTrendsResult;
      assert.match(result.scheduledFor ?? '', /^\d{4}-\d{2}-\d{2}T/);
      assert.equal((await weekly.describe()).state.paused, false);
    });
  });

  it('pause with a note when a run fails, and not when a file waits for a person', async () => {
    let problem: Error = failure('LandingFileHeader', 'trends_2025-01-07.csv: columns are swapped');
    const script = scripted({
      checkWeeklyFile: async ({ file }) => {
        if (problem.message.includes('swapped')) throw problem;
        return { ...file, sha256: 'a', rows: 7, refusedRows: 0, refusedReasons: {} };
      },
      recordWeeklyLoad: async () => {
        throw problem;
      },
    });
    await withWorker(fixture, script.activities, async ({ taskQueue }) => {
      await ensureSchedules(fixture.env.client, taskQueue, logger);
      await weekly.trigger(ScheduleOverlapPolicy.BUFFER_ONE);
      await fixture.env.client.workflow.getHandle(await startedRun(weekly)).result();
      assert.equal((await weekly.describe()).state.paused, false);
      problem = failure('ReconciliationFailed', '7 rows in the file, 6 in bronze');
      await weekly.trigger(ScheduleOverlapPolicy.BUFFER_ONE);
      const state = await until('the schedule is paused', async () => {
        const described = await weekly.describe();
        return described.state.paused && described.state;
      });
      assert.match(state.note ?? '', /fail/i);
    });
    await fixture.env.client.workflow.getHandle('weekly-trends/2025-01-07').terminate('the test is over');
  });

  it('need a search attribute, which is registered where it is missing', async () => {
    await ensureSearchAttributes(fixture.env.connection, 'default');
    const { customAttributes } = await fixture.env.connection.operatorService.listSearchAttributes({
      namespace: 'default',
    });
    assert.ok(customAttributes['SegueWeek'] !== undefined);
  });
});

function startedRun(schedule: ScheduleHandle): Promise<string> {
  return until('a run was started', async () => {
    const { info } = await schedule.describe();
    return info.recentActions.at(-1)?.action.workflow.workflowId;
  });
}
