import assert from 'node:assert/strict';
import { Context } from '@temporalio/activity';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { failure } from '../../../activities/failures.ts';
import { scripted } from '../../support/scripted-activities.ts';
import { startTemporal, withWorker, type TemporalFixture } from '../../support/temporal.ts';
import { gate } from '../../support/wait.ts';

describe('refreshRecommendations, orchestration', function () {
  this.timeout(60_000);
  let fixture: TemporalFixture;
  before(async () => {
    fixture = await startTemporal();
  });
  after(() => fixture?.env.teardown());

  it('makes features and model at once, and exports when both are there', async () => {
    const judging = gate();
    const script = scripted({
      // Neither could end if one waited for the other.
      buildFeatures: async () => {
        await judging.passed;
        return { tables: [{ table: 'gold/user_features', version: 1, rows: 3, rowsWritten: 3, weeksWritten: null }] };
      },
      evaluateModel: async ({ modelVersion }) => {
        judging.open();
        return { modelVersion, promoted: true, why: 'better', users: 1, ndcg: 0.5 };
      },
    });
    const result = await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('refreshRecommendations');
      return (await handle.result()) as { outcome: string; tables: { table: string }[] };
    });
    assert.deepEqual(
      result.tables.map(({ table }) => table),
      ['silver/listening_events', 'gold/user_features'],
    );
    assert.deepEqual(script.calls.slice(-3), ['exportSnapshot', 'publishSnapshot', 'announce']);
  });

  it('stops the model when the features do not pass their checks, waits for it, and publishes nothing', async () => {
    const judging = gate();
    const ended: string[] = [];
    const script = scripted({
      buildFeatures: async () => {
        await judging.passed;
        throw failure('TableCheckFailed', 'gold/user_features version 3: listens is out of range');
      },
      evaluateModel: async ({ modelVersion }) => {
        judging.open();
        const { cancelled, heartbeat } = Context.current();
        const pulse = setInterval(() => heartbeat(), 100);
        await cancelled.catch(() => undefined).finally(() => clearInterval(pulse));
        ended.push('evaluateModel');
        return { modelVersion, promoted: true, why: 'too late', users: 1, ndcg: 0.5 };
      },
    });
    await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('refreshRecommendations');
      await assert.rejects(handle.result(), (error: unknown) => {
        assert.ok(error instanceof WorkflowFailedError && error.cause?.cause instanceof ApplicationFailure);
        assert.equal(error.cause.cause.type, 'TableCheckFailed');
        assert.deepEqual(ended, ['evaluateModel']);
        return true;
      });
    });
    assert.ok(!script.calls.includes('buildGold'));
    assert.ok(!script.calls.includes('exportSnapshot'));
  });
});
