import assert from 'node:assert/strict';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { createForgettingActivities } from '../../../activities/forget-user.ts';
import type { ForgetUserReceipt } from '../../../contracts/forgetting.ts';
import { createMemoryStore } from '../../support/memory-store.ts';
import { scripted } from '../../support/scripted-activities.ts';
import { startTemporal, withWorker, type TemporalFixture } from '../../support/temporal.ts';

describe('forgetUser, orchestration', function () {
  this.timeout(60_000);
  let fixture: TemporalFixture;
  before(async () => {
    fixture = await startTemporal();
  });
  after(() => fixture.env.teardown());

  it('marks the user before anything else, learns anew without them, and writes a receipt that does not name them', async () => {
    const receipts: ForgetUserReceipt[] = [];
    const script = scripted({ writeReceipt: async ({ receipt }) => void receipts.push(receipt) });
    const result = await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('forgetUser', { input: { userId: 'somebody' } });
      return (await handle.result()) as ForgetUserReceipt;
    });
    const steps = script.calls.filter((call) => call !== 'announce');
    assert.deepEqual(steps.slice(0, 3), ['markForgotten', 'deleteUserRows', 'deleteFeedback']);
    assert.ok(steps.indexOf('publishSnapshot') < steps.indexOf('removeOldSnapshots'));
    assert.equal(steps.at(-1), 'writeReceipt');
    assert.deepEqual(receipts, [result]);
    assert.ok(!JSON.stringify(result).includes('somebody'));
  });

  it('learns nothing anew when there was nothing of the user', async () => {
    const script = scripted({ deleteUserRows: async () => ({ rows: { 'bronze/dim_users': 0 } }) });
    await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('forgetUser', { input: { userId: 'nobody' } });
      await handle.result();
    });
    assert.ok(!script.calls.includes('buildGold'));
  });

  it('does nothing without a user, and says what it needs', async () => {
    const real = createForgettingActivities({
      process: { jobsDir: '', target: { kind: 'connect', remote: '', python: '' }, env: {}, withoutEnv: /^$/ },
      store: createMemoryStore(),
      producer: () => Promise.reject(new Error('not needed')),
      feedbackKeys: () => Promise.reject(new Error('not needed')),
    });
    const script = scripted({ markForgotten: (input) => real.markForgotten(input) });
    await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('forgetUser');
      const error: unknown = await handle.result().catch((reason: unknown) => reason);
      assert.ok(error instanceof WorkflowFailedError);
      let cause: unknown = error.cause;
      while (cause instanceof Error && !(cause instanceof ApplicationFailure)) cause = cause.cause;
      assert.ok(cause instanceof ApplicationFailure);
      assert.equal(cause.type, 'InputInvalid');
    });
    assert.ok(!script.calls.includes('deleteUserRows'));
  });
});
