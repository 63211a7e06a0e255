import assert from 'node:assert/strict';
import { CancelledFailure, Context } from '@temporalio/activity';
import { WorkflowFailedError } from '@temporalio/client';
import { failure } from '../../../activities/failures.ts';
import type { StreamProgress } from '../../../contracts/streams.ts';
import { scripted } from '../../support/scripted-activities.ts';
import { startTemporal, withWorker, type TemporalFixture } from '../../support/temporal.ts';
import { gate, until } from '../../support/wait.ts';

describe('streamEvents, orchestration', function () {
  this.timeout(60_000);
  let fixture: TemporalFixture;
  before(async () => {
    fixture = await startTemporal();
  });
  after(() => fixture.env.teardown());

  it('watches the driver again and again, and continues as a new run before its history grows long', async () => {
    let calls = 0;
    const script = scripted({
      superviseStreams: async () => {
        calls++;
        // The second run's first call lasts.
        if (calls > 24) await lasting();
      },
    });
    await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('streamEvents');
      const first = (await handle.describe()).runId;
      await until('a second run watches', () => calls === 25);
      const { runId, historyLength } = await handle.describe();
      assert.notEqual(runId, first);
      assert.ok(historyLength < 50);
      await handle.cancel();
      await assert.rejects(handle.result(), WorkflowFailedError);
    });
  });

  it('starts the driver again when it has ended', async () => {
    let calls = 0;
    const script = scripted({
      superviseStreams: async () => {
        if (++calls === 1) throw failure('StreamFailed', 'The streaming driver ended: out of memory');
        await lasting();
      },
    });
    await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('streamEvents');
      await until('it was tried again', () => calls === 2);
      await handle.cancel();
      await assert.rejects(handle.result(), WorkflowFailedError);
    });
  });

  it('lets one run have the driver: a second one waits until the first is cancelled and its driver has stopped', async () => {
    const stopped = gate();
    let running = 0;
    let mostAtOnce = 0;
    const script = scripted({
      superviseStreams: async () => {
        mostAtOnce = Math.max(mostAtOnce, ++running);
        try {
          await lasting();
        } finally {
          await stopped.passed;
          running--;
        }
      },
    });
    await withWorker(fixture, script.activities, async (world) => {
      const first = await world.start('streamEvents');
      await until('the first has the driver', () => running === 1);
      const second = await world.start('streamEvents');
      await first.cancel();
      const waiting = await second.query<StreamProgress>('progress');
      assert.match(waiting.stage, /starting|waiting for/);
      stopped.open();
      await assert.rejects(first.result(), WorkflowFailedError);
      await until('the second has it', () => script.calls.filter((call) => call === 'superviseStreams').length === 2);
      await second.cancel();
      await assert.rejects(second.result(), WorkflowFailedError);
    });
    assert.equal(mostAtOnce, 1);
  });

  it('answers with what the activity has told', async () => {
    const said: StreamProgress = {
      stage: 'streaming',
      topics: [
        {
          topic: 'user_listening_history',
          state: 'running',
          batchId: 3,
          offsets: { '0': 7 },
          lag: 2,
          batchRows: 5,
          batchMs: 640,
          rows: 7,
          refused: 1,
          topicId: 'b2ZfdGhlX29sZF90b3BpYw',
          madeAnew: 1,
          error: null,
        },
      ],
    };
    const script = scripted({ superviseStreams: lasting });
    await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('streamEvents');
      await until('the driver is watched', () => script.calls.includes('superviseStreams'));
      await handle.signal('reportStreamProgress', said);
      assert.deepEqual(await handle.query<StreamProgress>('progress'), said);
      await handle.cancel();
      await assert.rejects(handle.result(), WorkflowFailedError);
    });
  });
});

/** An activity that lasts until it is cancelled. */
async function lasting(): Promise<void> {
  const pulse = setInterval(() => Context.current().heartbeat(), 200);
  try {
    await Context.current().cancelled;
  } catch (error) {
    assert.ok(error instanceof CancelledFailure);
    throw error;
  } finally {
    clearInterval(pulse);
  }
}
