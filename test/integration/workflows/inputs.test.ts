import assert from 'node:assert/strict';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { scripted } from '../../support/scripted-activities.ts';
import { startTemporal, withWorker, type TemporalFixture } from '../../support/temporal.ts';

/** What somebody may have typed after `--input`. */
const wrongInputs: readonly { readonly type: string; readonly input: unknown; readonly says: RegExp }[] = [
  {
    type: 'initialDataLoad',
    input: { refersh: false },
    says: /refersh is not known\. .*any of: refresh\. Nothing was/,
  },
  {
    type: 'weeklyTrendsIngestion',
    input: { parallel: 'x' },
    says: /parallel must be a whole number.*refresh, parallel\./,
  },
  { type: 'weeklyTrendsIngestion', input: { parallel: 0 }, says: /parallel must be a whole number from 1 to 64/ },
  { type: 'refreshRecommendations', input: true, says: /with true: it is no JSON object/ },
  { type: 'maintainLakehouse', input: { tables: 'bronze/dim_users' }, says: /tables must be a list of texts/ },
  { type: 'maintainLakehouse', input: { retentionHours: '168' }, says: /retentionHours must be a number of hours/ },
  { type: 'measureOutcomes', input: { windowHours: -1 }, says: /windowHours must be a number of hours above 0/ },
  { type: 'rollbackModel', input: { modelVersion: 3 }, says: /modelVersion must be a text/ },
  { type: 'streamEvents', input: { startFrom: 'latest' }, says: /startFrom must be "table" or "earliest"/ },
];

describe('an input that a workflow cannot use', function () {
  this.timeout(60_000);
  let fixture: TemporalFixture;
  before(async () => {
    fixture = await startTemporal();
  });
  after(() => fixture.env.teardown());

  for (const { type, input, says } of wrongInputs) {
    it(`ends ${type} ${JSON.stringify(input)} by name, before anything is done`, async () => {
      const script = scripted({});
      await withWorker(fixture, script.activities, async (world) => {
        const handle = await world.start(type, { input });
        const error: unknown = await handle.result().catch((reason: unknown) => reason);
        assert.ok(error instanceof WorkflowFailedError);
        assert.ok(error.cause instanceof ApplicationFailure);
        assert.equal(error.cause.type, 'InputInvalid');
        assert.match(error.cause.message, says);
      });
      assert.deepEqual(script.calls, []);
    });
  }
});
