import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { initialLoadId, refreshId, streamEventsId, weeklyTrendsId } from '../../contracts/ids.ts';
import { Interrupted } from '../../stack/errors.ts';
import { chooseServices } from '../../stack/external.ts';
import { runInitialLoad, runRefresh, runWeeklyTrends } from '../../stack/load.ts';
import { keepStreaming } from '../../stack/streams.ts';
import { installed } from '../support/installed.ts';
import { quietRuntime } from '../support/temporal.ts';

describe('the runs that npm start starts', function () {
  this.timeout(60_000);
  let temporal: TestWorkflowEnvironment;
  let isUp = false;

  beforeEach(async () => {
    const { temporal: path } = await installed();
    quietRuntime();
    temporal = await TestWorkflowEnvironment.createLocal({
      server: {
        executable: { type: 'existing-path', path },
        namespace: 'team',
        log: { format: 'json', level: 'error' },
      },
    });
    isUp = true;
  });

  afterEach(() => stopTemporal());

  async function stopTemporal(): Promise<void> {
    if (isUp) await temporal.teardown();
    isUp = false;
  }

  /** The environment of the stack's own clients, when the user has set these two variables. */
  function ownEnv(): Record<string, string> {
    const { overrides } = chooseServices({ SEGUE_TASK_QUEUE: 'mine', SEGUE_TEMPORAL_NAMESPACE: 'team' });
    return { SEGUE_TEMPORAL_ADDRESS: temporal.address, ...overrides };
  }

  /** Starts a run and leaves it, as Ctrl-C does: no worker is there that would end it. */
  async function startAndLeave(run: typeof runInitialLoad | typeof runWeeklyTrends | typeof runRefresh): Promise<void> {
    await assert.rejects(
      run(ownEnv(), () => undefined, AbortSignal.abort()),
      Interrupted,
    );
  }

  it('go to the namespace and the task queue that the worker inherits, each with a summary', async () => {
    await keepStreaming(ownEnv());
    for (const run of [runInitialLoad, runWeeklyTrends, runRefresh]) await startAndLeave(run);

    const summaries: (string | undefined)[] = [];
    for (const id of [streamEventsId, initialLoadId, weeklyTrendsId, refreshId]) {
      const run = await temporal.client.workflow.getHandle(id).describe();
      assert.equal(run.taskQueue, 'mine', id);
      summaries.push(await run.staticSummary());
    }
    assert.deepEqual(summaries, [
      'Kafka → Delta, always on',
      'npm start: every landing file into bronze',
      'npm start: every weekly file that is not in the ledger',
      'npm start: recommendations from what is new',
    ]);
  });

  it('do not bring the process down when they were left and Temporal stops', async () => {
    await startAndLeave(runInitialLoad);
    await stopTemporal();
    // The client tries again after a tenth of a second; what it throws then nobody could catch, and mocha would tell.
    await sleep(1_000);
  });
});
