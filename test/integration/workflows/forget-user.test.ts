import assert from 'node:assert/strict';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { createForgettingActivities } from '../../../activities/forget-user.ts';
import { failure } from '../../../activities/failures.ts';
import type { Activities } from '../../../contracts/activities.ts';
import type { ForgetUserReceipt } from '../../../contracts/forgetting.ts';
import type { RunProgress } from '../../../contracts/progress.ts';
import { createMemoryStore } from '../../support/memory-store.ts';
import { scripted } from '../../support/scripted-activities.ts';
import { startTemporal, withWorker, type TemporalFixture } from '../../support/temporal.ts';
import { gate, until } from '../../support/wait.ts';

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

  const forget = (activities: Activities): Promise<ForgetUserReceipt> =>
    withWorker(fixture, activities, async (world) => {
      const handle = await world.start('forgetUser', { input: { userId: 'somebody' } });
      return (await handle.result()) as ForgetUserReceipt;
    });

  it('learns nothing anew when what is served does not name the user', async () => {
    const script = scripted({ isUserServed: async () => false });
    const receipt = await forget(script.activities);
    assert.ok(!script.calls.includes('buildGold'));
    assert.deepEqual([receipt.isStillServed, receipt.refresh], [false, undefined]);
  });

  it('learns anew in a repeated run, which finds no rows, as long as what is served names the user', async () => {
    const script = scripted({ deleteUserRows: async () => ({ rows: { 'bronze/dim_users': 0 } }) });
    const receipt = await forget(script.activities);
    assert.ok(script.calls.includes('publishSnapshot'));
    assert.deepEqual([receipt.isStillServed, receipt.refresh], [false, 'published']);
    assert.ok(receipt.remains.every((each) => !each.includes('served snapshot')));
  });

  for (const [how, outcome, overrides] of [
    ['fails', 'failed', { buildSilver: () => Promise.reject(failure('TableCheckFailed', 'planned')) }],
    ['is refused', 'refused', refusing()],
  ] as const) {
    it(`says truly that the user is in what is served when the refresh ${how}, and does the rest`, async () => {
      const script = scripted({ ...overrides, isUserServed: async () => true });
      const receipt = await forget(script.activities);
      assert.deepEqual([receipt.isStillServed, receipt.refresh], [true, outcome]);
      assert.match(receipt.remains.join(), /the user in the served snapshot/);
      assert.equal(receipt.removedSnapshots, 1);
    });
  }

  it('removes snapshots while nobody makes one', async () => {
    const [deleting, exporting] = [gate(), gate()];
    const healthy = scripted().activities;
    const script = scripted({
      isUserServed: async () => false,
      deleteUserRows: async () => ({ rows: {} }),
      deleteFeedback: () => deleting.passed,
      exportSnapshot: async (input) => {
        await exporting.passed;
        return healthy.exportSnapshot(input);
      },
    });
    const hasCalled = (activity: string): boolean => script.calls.includes(activity);
    await withWorker(fixture, script.activities, async (world) => {
      const forgetting = await world.start('forgetUser', { input: { userId: 'somebody' } });
      await until('the rows are deleted', () => hasCalled('deleteFeedback'));
      const refreshing = await world.start('refreshRecommendations');
      await until('a snapshot is being made', () => hasCalled('exportSnapshot'));
      deleting.open();
      await until('it waits', async () => {
        const { waitingFor } = await forgetting.query<RunProgress>('progress');
        return waitingFor?.heldBy === refreshing.workflowId || hasCalled('removeOldSnapshots');
      });
      assert.ok(!hasCalled('removeOldSnapshots'));
      exporting.open();
      await Promise.all([forgetting.result(), refreshing.result()]);
    });
    assert.ok(script.calls.indexOf('publishSnapshot') < script.calls.indexOf('removeOldSnapshots'));
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

/** A served model that no other is better than. */
function refusing(): Partial<Activities> {
  return {
    describeRefresh: async () => ({
      inputs: 'new',
      published: { modelVersion: 'als-1', inputs: 'old', users: 3, recommendations: 30 },
    }),
    evaluateModel: async ({ modelVersion }) => ({ modelVersion, promoted: false, why: 'worse', users: 1, ndcg: 0.1 }),
  };
}
