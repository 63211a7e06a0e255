import assert from 'node:assert/strict';
import { CancelledFailure, Context } from '@temporalio/activity';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { execa } from 'execa';
import { watchAttention } from '../../../api/attention.ts';
import { createApiMetrics } from '../../../api/metrics.ts';
import { failure } from '../../../activities/failures.ts';
import type { Activities, Announcement } from '../../../contracts/activities.ts';
import type { InitialDataLoadResult } from '../../../contracts/runs.ts';
import type { ReviewResult, WeeklyTrendsResult } from '../../../contracts/weekly.ts';
import { createLogger } from '../../../platform/logger.ts';
import { ensureSchedules } from '../../../worker/schedules.ts';
import { Registry } from 'prom-client';
import { RunFailed, runRefresh } from '../../../stack/load.ts';
import { installed } from '../../support/installed.ts';
import { scripted } from '../../support/scripted-activities.ts';
import { startTemporal, withWorker, type TemporalFixture } from '../../support/temporal.ts';
import { gate, until } from '../../support/wait.ts';

const logger = createLogger({ name: 'test', level: 'silent' });
const message = 'build_silver: silver/listening_events version 3: event_id is not unique';

/** A world whose refreshes fail as long as `isBroken` says so. */
function breaking(isBroken: () => boolean, overrides: Partial<Activities> = {}): ReturnType<typeof scripted> {
  const healthy = scripted().activities;
  return scripted({
    buildSilver: async (input) => {
      if (isBroken()) throw failure('TableCheckFailed', message);
      return healthy.buildSilver(input);
    },
    ...overrides,
  });
}

describe('ingestion and refresh fail apart', function () {
  this.timeout(60_000);
  let fixture: TemporalFixture;
  before(async () => {
    fixture = await startTemporal();
  });
  after(() => fixture?.env.teardown());

  const failed = (workflowId: string): object => ({
    outcome: 'failed',
    type: 'TableCheckFailed',
    message,
    workflowId: `${workflowId}/refresh`,
  });

  it('counts weeks as ingested whose refresh fails, says so in the result, and tells whoever watches', async () => {
    const told: Announcement[] = [];
    const script = breaking(() => true, { announce: async (each) => void told.push(each) });
    await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('weeklyTrendsIngestion');
      const result = (await handle.result()) as WeeklyTrendsResult;
      assert.deepEqual(
        result.weeks.map(({ weekEnd, outcome }) => [weekEnd, outcome]),
        [['2025-01-07', 'ingested']],
      );
      assert.deepEqual(result.refresh, failed(handle.workflowId));
      assert.equal((await handle.describe()).status.name, 'COMPLETED');
    });
    assert.ok(script.calls.includes('recordWeeklyLoad'));
    assert.deepEqual(
      told.filter(({ stage }) => stage === 'refresh failed').map(({ details }) => details),
      [{ type: 'TableCheckFailed', message }],
    );
  });

  it('counts the landing files as loaded whose refresh fails', async () => {
    await withWorker(fixture, breaking(() => true).activities, async (world) => {
      const handle = await world.start('initialDataLoad');
      const result = (await handle.result()) as InitialDataLoadResult;
      assert.deepEqual(result.rows, { inFiles: 7, bronze: 7, quarantined: 0 });
      assert.deepEqual(result.refresh, failed(handle.workflowId));
    });
  });

  it('counts a week as ingested that a person accepted, whatever becomes of the refresh', async () => {
    const tooMany = failure('TooManyRefusedRows', 'trends_2025-01-07.csv: 3 of 7 rows would be refused');
    const healthy = scripted().activities;
    const script = breaking(() => true, {
      checkWeeklyFile: async (input) => {
        if (!input.acceptRefused) throw tooMany;
        return healthy.checkWeeklyFile(input);
      },
    });
    await withWorker(fixture, script.activities, async (world) => {
      await (await world.start('weeklyTrendsIngestion', { input: { refresh: false } })).result();
      const review = fixture.env.client.workflow.getHandle('weekly-trends/2025-01-07');
      await review.executeUpdate('decide', { args: [{ decision: 'accept' }] });
      const result = (await review.result()) as ReviewResult;
      assert.deepEqual([result.outcome, result.refresh], ['ingested', failed('weekly-trends/2025-01-07')]);
    });
  });

  it('retries by itself: the next run refreshes without a new week', async () => {
    let isBroken = true;
    const script = breaking(() => isBroken);
    await withWorker(fixture, script.activities, async (world) => {
      const first = (await (await world.start('weeklyTrendsIngestion')).result()) as WeeklyTrendsResult;
      assert.equal(first.refresh?.outcome, 'failed');
      isBroken = false;
      const next = scripted({
        ...script.activities,
        discoverWeeklyFiles: async () => ({ files: [], known: 1, ignored: [], unsettled: [] }),
      });
      await withWorker(fixture, next.activities, async (again) => {
        const second = (await (await again.start('weeklyTrendsIngestion')).result()) as WeeklyTrendsResult;
        assert.deepEqual([second.weeks, second.known, second.refresh?.outcome], [[], 1, 'published']);
      });
    });
  });

  it('does not pause the weekly schedule', async () => {
    const weekly = fixture.env.client.schedule.getHandle('weekly-trends-ingestion');
    await withWorker(fixture, breaking(() => true).activities, async ({ taskQueue }) => {
      await ensureSchedules(fixture.env.client, taskQueue, logger);
      try {
        await weekly.trigger();
        const runId = await until('a run was started', async () => {
          const { info } = await weekly.describe();
          return info.recentActions.at(-1)?.action.workflow.workflowId;
        });
        const result = (await fixture.env.client.workflow.getHandle(runId).result()) as WeeklyTrendsResult;
        assert.equal(result.refresh?.outcome, 'failed');
        await until('the schedule has seen the run end', async () => {
          const { info } = await weekly.describe();
          return info.runningActions.length === 0;
        });
        assert.equal((await weekly.describe()).state.paused, false);
      } finally {
        await weekly.delete();
      }
    });
  });

  it('is a run of its own, which the Web UI and `temporal workflow list` show as failed', async () => {
    const { temporal } = await installed();
    await withWorker(fixture, breaking(() => true).activities, async (world) => {
      const handle = await world.start('weeklyTrendsIngestion');
      await handle.result();
      const rows = await until('the run is listed', async () => {
        const { stdout } = await execa(temporal, [
          ...['workflow', 'list', '--address', fixture.env.address, '--output', 'json', '--query'],
          "WorkflowType = 'refreshRecommendations' AND ExecutionStatus = 'Failed'",
        ]);
        const runs = JSON.parse(stdout) as { execution: { workflowId: string } }[];
        return runs.find(({ execution }) => execution.workflowId === `${handle.workflowId}/refresh`);
      });
      assert.ok(rows);
    });
  });

  it('has a metric while the newest refresh that ended has failed', async () => {
    let isBroken = true;
    const metrics = createApiMetrics(new Registry());
    const refreshFailed = async (): Promise<number> => {
      const watching = watchAttention(fixture.env.client, metrics, logger);
      await watching.looked;
      watching.stop();
      return (await metrics.refreshFailed.get()).values[0]!.value;
    };
    await withWorker(fixture, breaking(() => isBroken).activities, async (world) => {
      await (await world.start('weeklyTrendsIngestion')).result();
      await until('the alert has its metric', async () => (await refreshFailed()) === 1);
      isBroken = false;
      await (await world.start('refreshRecommendations')).result();
      await until('it is over', async () => (await refreshFailed()) === 0);
    });
  });

  it('ends a start with the run that failed and why, in the words of the failure and not of its cause', async () => {
    const script = scripted({
      buildSilver: async () => {
        throw failure('TableCheckFailed', message, { cause: new Error('some query') });
      },
    });
    await withWorker(fixture, script.activities, async ({ taskQueue }) => {
      const env = { SEGUE_TEMPORAL_ADDRESS: fixture.env.address, SEGUE_TASK_QUEUE: taskQueue };
      const running = runRefresh(env, () => undefined, new AbortController().signal);
      await assert.rejects(running, (error) => {
        assert.ok(error instanceof RunFailed);
        assert.equal(error.message, `TableCheckFailed: ${message}`);
        assert.deepEqual(error.run, { type: 'refreshRecommendations', workflowId: 'refresh-recommendations' });
        return true;
      });
    });
  });

  it('cancels its refresh with the run, and keeps the lock until the job has stopped', async () => {
    const stopping = gate();
    let isRunning = false;
    const script = scripted({ buildSilver: () => untilStopped(stopping.passed, (is) => (isRunning = is)) });
    await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('weeklyTrendsIngestion');
      await until('the refresh runs', () => isRunning);
      await handle.cancel();
      const lock = fixture.env.client.workflow.getHandle('write-lock/recommendations');
      assert.equal((await lock.describe()).status.name, 'RUNNING');
      stopping.open();
      await assert.rejects(handle.result(), WorkflowFailedError);
      assert.equal(isRunning, false);
      assert.deepEqual(
        await statuses([handle, fixture.env.client.workflow.getHandle(`${handle.workflowId}/refresh`), lock]),
        ['CANCELLED', 'CANCELLED', 'COMPLETED'],
      );
    });
  });

  for (const how of ['cancel', 'terminate'] as const) {
    it(`counts weeks as ingested when a person ends the refresh alone (${how})`, async () => {
      let isRunning = false;
      const script = scripted({ buildSilver: () => untilStopped(Promise.resolve(), (is) => (isRunning = is)) });
      await withWorker(fixture, script.activities, async (world) => {
        const handle = await world.start('weeklyTrendsIngestion');
        await until('the refresh runs', () => isRunning);
        await fixture.env.client.workflow.getHandle(`${handle.workflowId}/refresh`)[how]();
        const result = (await handle.result()) as WeeklyTrendsResult;
        assert.equal(result.refresh?.outcome, 'failed');
        assert.equal(result.refresh.type, 'RefreshStopped');
        await until('the job has stopped', () => !isRunning);
      });
    });
  }
});

/** A job that heartbeats until it is told to stop, and then takes its time. */
async function untilStopped(stopped: Promise<void>, tell: (isRunning: boolean) => void): Promise<never> {
  tell(true);
  const { heartbeat, cancelled } = Context.current();
  const pulse = setInterval(() => heartbeat(), 200);
  await cancelled.catch(() => undefined);
  await stopped;
  clearInterval(pulse);
  tell(false);
  throw new CancelledFailure('stopped');
}

function statuses(runs: readonly WorkflowHandle[]): Promise<readonly string[]> {
  return Promise.all(runs.map(async (run) => (await run.describe()).status.name));
}
