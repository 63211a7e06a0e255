import assert from 'node:assert/strict';
import { ApplicationFailure } from '@temporalio/common';
import { WorkflowFailedError } from '@temporalio/client';
import { CancelledFailure, Context } from '@temporalio/activity';
import type { RunProgress } from '../../../contracts/progress.ts';
import type { InitialDataLoadResult } from '../../../contracts/runs.ts';
import { failure } from '../../../activities/failures.ts';
import { scripted } from '../../support/scripted-activities.ts';
import { startTemporal, withWorker, type TemporalFixture } from '../../support/temporal.ts';
import { gate, until } from '../../support/wait.ts';

describe('initialDataLoad, orchestration', function () {
  this.timeout(60_000);
  let fixture: TemporalFixture;
  before(async () => {
    fixture = await startTemporal();
  });
  after(() => fixture.env.teardown());

  it('checks every file, then uploads, loads, reconciles and refreshes, with no input', async () => {
    const script = scripted();
    const result = await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('initialDataLoad');
      return (await handle.result()) as InitialDataLoadResult;
    });
    const steps = script.calls.filter((call) => call !== 'announce');
    // Features are made beside the model: when they begin among its steps is not said.
    const features = steps.indexOf('buildFeatures');
    assert.ok(steps.indexOf('buildSilver') < features && features < steps.indexOf('exportSnapshot'), steps.join());
    assert.deepEqual(steps.toSpliced(features, 1), [
      'discoverLandingFiles',
      'checkLandingFile',
      'checkLandingFile',
      'uploadLandingFile',
      'uploadLandingFile',
      'planBronzeLoad',
      'loadBronze',
      'reconcileBronze',
      'describeRefresh',
      'buildSilver',
      'evaluateModel',
      'buildGold',
      'exportSnapshot',
      'publishSnapshot',
    ]);
    // Two files of 2 and 5 rows, 10 and 20 bytes.
    assert.deepEqual(result.rows, { inFiles: 7, bronze: 7, quarantined: 0 });
    assert.equal(result.uploadedBytes, 30);
    assert.equal(result.refresh?.outcome, 'published');
  });

  it('moves nothing when one file does not pass its check, and fails with the named type', async () => {
    const script = scripted({
      checkLandingFile: async (file) => {
        if (file.file === 'dim_songs.csv') throw failure('LandingFileHeader', 'dim_songs.csv: columns are swapped');
        return { ...file, sha256: 'b', rows: 5 };
      },
    });
    await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('initialDataLoad');
      await assert.rejects(handle.result(), hasFailure('LandingFileHeader', /dim_songs\.csv/));
    });
    assert.ok(!script.calls.includes('uploadLandingFile'));
    assert.ok(!script.calls.includes('loadBronze'));
  });

  it('submits no Spark job when every file is in bronze already', async () => {
    const script = scripted({
      planBronzeLoad: async (files) => files.map((file) => ({ ...file, action: 'unchanged', generation: 0 })),
      describeRefresh: async () => ({
        inputs: 'same',
        published: { modelVersion: 'als-1', inputs: 'same', users: 3, recommendations: 30 },
      }),
    });
    const result = await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('initialDataLoad');
      return (await handle.result()) as InitialDataLoadResult;
    });
    assert.equal(result.refresh?.outcome, 'unchanged');
    assert.deepEqual(
      script.calls.filter((call) => ['loadBronze', 'buildSilver', 'buildGold', 'publishSnapshot'].includes(call)),
      [],
    );
  });

  it('publishes nothing when rows do not reconcile', async () => {
    const script = scripted({
      reconcileBronze: async () => {
        throw failure('ReconciliationFailed', 'dim_songs.csv: 2 rows in the file, 1 in bronze');
      },
    });
    await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('initialDataLoad');
      await assert.rejects(handle.result(), hasFailure('ReconciliationFailed', /dim_songs/));
    });
    assert.ok(!script.calls.includes('publishSnapshot'));
  });

  it('goes on when nobody can be told about it', async () => {
    const script = scripted({
      announce: async () => {
        throw ApplicationFailure.nonRetryable('Kafka is away');
      },
    });
    const result = await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('initialDataLoad', { input: { refresh: false } });
      return (await handle.result()) as InitialDataLoadResult;
    });
    assert.equal(result.rows.bronze, 7);
    assert.equal(result.refresh, undefined);
  });

  it('lets one run write bronze at a time: the second waits and then has its turn', async () => {
    const door = gate();
    let writing = 0;
    let mostAtOnce = 0;
    const script = scripted({
      loadBronze: async ({ files }) => {
        mostAtOnce = Math.max(mostAtOnce, ++writing);
        await door.passed;
        writing--;
        return { files: files.map(({ file, rows }) => ({ file, bronze: rows, quarantined: 0, tableVersion: 1 })) };
      },
    });
    await withWorker(fixture, script.activities, async (world) => {
      const first = await world.start('initialDataLoad');
      await until('the first run writes', () => writing === 1);
      const second = await world.start('initialDataLoad');
      await until(
        'the second run has checked its files',
        () => script.calls.filter((c) => c === 'checkLandingFile').length === 4,
      );
      door.open();
      await Promise.all([first.result(), second.result()]);
    });
    assert.equal(mostAtOnce, 1);
    assert.equal(script.calls.filter((call) => call === 'loadBronze').length, 2);
  });

  it('keeps the lock of a cancelled run until its Spark job has stopped, then lets it go', async () => {
    const stopping = gate();
    let isRunning = false;
    const script = scripted({
      loadBronze: async () => {
        isRunning = true;
        const pulse = setInterval(() => Context.current().heartbeat(), 200);
        await Context.current().cancelled.catch(() => undefined);
        await stopping.passed;
        clearInterval(pulse);
        isRunning = false;
        throw new CancelledFailure('stopped');
      },
    });
    await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('initialDataLoad');
      await until('the job runs', () => isRunning);
      await handle.cancel();
      const lock = fixture.env.client.workflow.getHandle('write-lock/bronze/fact_listening_events');
      assert.equal((await lock.describe()).status.name, 'RUNNING');
      stopping.open();
      await assert.rejects(handle.result(), WorkflowFailedError);
      assert.equal(isRunning, false);
      assert.equal((await handle.describe()).status.name, 'CANCELLED');
      assert.equal((await lock.describe()).status.name, 'COMPLETED');
    });
  });

  it('fails only when every other file that is being sent has come to its end', async () => {
    let isSending = false;
    const script = scripted({
      uploadLandingFile: async ({ file }) => {
        if (file === 'dim_songs.csv') throw failure('LandingFileChanged', 'dim_songs.csv changed');
        isSending = true;
        await new Promise((resolve) => setTimeout(resolve, 1_500));
        isSending = false;
        return { sentBytes: 1 };
      },
    });
    await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('initialDataLoad');
      await assert.rejects(handle.result(), hasFailure('LandingFileChanged', /dim_songs/));
      assert.equal(isSending, false);
    });
  });

  it('frees the lock of a run that is terminated', async () => {
    const door = gate();
    let isRunning = false;
    const script = scripted({
      uploadLandingFile: async () => {
        isRunning = true;
        await door.passed;
        return { sentBytes: 0 };
      },
    });
    await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('initialDataLoad');
      await until('the upload runs', () => isRunning);
      await handle.terminate('a test');
      const lock = fixture.env.client.workflow.getHandle('write-lock/bronze/fact_listening_events');
      await until('the lock is free', async () => (await lock.describe()).status.name !== 'RUNNING');
      door.open();
    });
  });

  it('answers the progress query with stage, files, bytes, rows and what Spark does', async () => {
    const door = gate();
    const script = scripted({
      loadBronze: async ({ files }) => {
        await door.passed;
        return { files: files.map(({ file, rows }) => ({ file, bronze: rows, quarantined: 0, tableVersion: 1 })) };
      },
    });
    await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('initialDataLoad');
      const spark = { job: 'load_bronze', step: 'bronze/dim_songs', tasksDone: 1, tasksTotal: 4 };
      await until('the load runs', () => script.calls.includes('loadBronze'));
      await handle.signal('reportProgress', { kind: 'spark', spark });
      const progress = await until('Spark is in the answer', async () => {
        const answer = await handle.query<RunProgress>('progress');
        return answer.spark && answer;
      });
      assert.deepEqual(progress, {
        stage: 'loading bronze',
        files: { done: 2, total: 2 },
        uploadBytes: { done: 30, total: 30 },
        rows: { inFiles: 7, loaded: 0 },
        spark,
      });
      door.open();
      await handle.result();
      const ended = await handle.query<RunProgress>('progress');
      assert.deepEqual([ended.stage, ended.rows], ['done', { inFiles: 7, loaded: 7 }]);
    });
  });
});

/** Whether a workflow failed with this type of our catalogue, saying something that matches. */
function hasFailure(type: string, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof WorkflowFailedError);
    let cause: unknown = error.cause;
    while (cause instanceof Error && !(cause instanceof ApplicationFailure)) cause = cause.cause;
    assert.ok(cause instanceof ApplicationFailure);
    assert.equal(cause.type, type);
    assert.match(cause.message, message);
    return true;
  };
}
