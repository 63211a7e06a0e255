import assert from 'node:assert/strict';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { failure } from '../../../activities/failures.ts';
import type { MaintenanceResult } from '../../../contracts/maintenance.ts';
import type { RunProgress } from '../../../contracts/progress.ts';
import { scripted } from '../../support/scripted-activities.ts';
import { startTemporal, withWorker, type TemporalFixture } from '../../support/temporal.ts';
import { gate, until } from '../../support/wait.ts';

describe('maintainLakehouse, orchestration', function () {
  this.timeout(60_000);
  let fixture: TemporalFixture;
  before(async () => {
    fixture = await startTemporal();
  });
  after(() => fixture.env.teardown());

  it('looks after one group of tables after another, then prunes snapshots, with no input', async () => {
    const script = scripted();
    const result = await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('maintainLakehouse');
      return (await handle.result()) as MaintenanceResult;
    });
    assert.deepEqual(script.calls, ['planMaintenance', 'maintainTables', 'maintainTables', 'pruneSnapshots']);
    assert.deepEqual(
      result.tables.map(({ table, outcome }) => [table, outcome]),
      [
        ['bronze/dim_songs', 'unchanged'],
        ['silver/listening_events', 'unchanged'],
      ],
    );
    assert.equal(result.retentionHours, 168);
  });

  it('queues behind a run that writes the same tables, and says so; a load queues behind it', async () => {
    const door = gate();
    let working = 0;
    let mostAtOnce = 0;
    const enter = async (): Promise<void> => {
      mostAtOnce = Math.max(mostAtOnce, ++working);
      await door.passed;
      working--;
    };
    const healthy = scripted().activities;
    const script = scripted({
      loadBronze: async (input) => {
        await enter();
        return healthy.loadBronze(input);
      },
      maintainTables: async (input) => {
        await enter();
        return healthy.maintainTables(input);
      },
    });
    await withWorker(fixture, script.activities, async (world) => {
      const load = await world.start('initialDataLoad', { input: { refresh: false } });
      await until('the load writes', () => working === 1);
      const maintenance = await world.start('maintainLakehouse', { input: { tables: ['bronze/dim_songs'] } });
      const wait = await until(
        'maintenance waits',
        async () => (await maintenance.query<RunProgress>('progress')).waitingFor,
      );
      assert.deepEqual([wait.lock, wait.heldBy], ['bronze/dimensions', load.workflowId]);
      door.open();
      await Promise.all([load.result(), maintenance.result()]);
    });
    assert.equal(mostAtOnce, 1);
  });

  it('touches nothing when the retention would break a promise', async () => {
    const script = scripted({
      planMaintenance: async () => {
        throw failure('RetentionTooShort', 'a retention of 1 h …');
      },
    });
    await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('maintainLakehouse', { input: { retentionHours: 1 } });
      await assert.rejects(handle.result(), (error) => {
        assert.ok(error instanceof WorkflowFailedError);
        const cause = error.cause?.cause;
        return cause instanceof ApplicationFailure && cause.type === 'RetentionTooShort';
      });
    });
    assert.ok(!script.calls.includes('maintainTables'));
    assert.ok(!script.calls.includes('pruneSnapshots'));
  });
});
