import assert from 'node:assert/strict';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import type { CheckedFile } from '../../../contracts/activities.ts';
import type { RunProgress } from '../../../contracts/progress.ts';
import { scripted, type Script } from '../../support/scripted-activities.ts';
import { startTemporal, withWorker, type TemporalFixture, type World } from '../../support/temporal.ts';
import { gate, until } from '../../support/wait.ts';

const songs = ['dim_songs'];
const events = ['fact_listening_events'];
const both = ['fact_listening_events', 'dim_songs'];

describe('write locks by table', function () {
  this.timeout(60_000);
  let fixture: TemporalFixture;
  before(async () => {
    fixture = await startTemporal();
  });
  after(() => fixture.env.teardown());

  it('lets runs that write different tables write at once', async () => {
    const lake = writers([songs, events]);
    await withWorker(fixture, lake.script.activities, async (world) => {
      const runs = [await load(world), await load(world)];
      await until('both write', () => lake.writing() === 2);
      lake.open();
      await Promise.all(runs.map((run) => run.result()));
    });
  });

  it('shows whom a waiting run waits for, and gives it its turn when that one ends', async () => {
    const lake = writers([both, events]);
    await withWorker(fixture, lake.script.activities, async (world) => {
      const first = await load(world);
      await until('the first writes', () => lake.writing() === 1);
      const second = await load(world);
      const wait = await waitOf(second);
      assert.equal(wait.lock, 'bronze/fact_listening_events');
      assert.equal(wait.heldBy, first.workflowId);
      assert.equal(wait.heldSince, (await lockRun('bronze/fact_listening_events')).startTime.toISOString());
      lake.open();
      await Promise.all([first.result(), second.result()]);
      assert.equal((await second.query<RunProgress>('progress')).waitingFor, undefined);
      assert.deepEqual(lake.mostAtOnce(), { dim_songs: 1, fact_listening_events: 1 });
    });
  });

  it('lets a waiting run on when the run that holds the lock is terminated', async () => {
    const lake = writers([events, events]);
    await withWorker(fixture, lake.script.activities, async (world) => {
      const first = await load(world);
      await until('the first writes', () => lake.writing() === 1);
      const second = await load(world);
      await waitOf(second);
      await first.terminate('a test');
      await until('the second writes', () => lake.writing() === 2);
      lake.open();
      await second.result();
    });
  });

  it('lets a waiting run be cancelled; it holds nothing afterwards', async () => {
    const lake = writers([events, both]);
    await withWorker(fixture, lake.script.activities, async (world) => {
      const first = await load(world);
      await until('the first writes', () => lake.writing() === 1);
      const second = await load(world);
      await waitOf(second);
      assert.equal((await lockRun('bronze/dimensions')).status.name, 'RUNNING');
      await second.cancel();
      await assert.rejects(second.result(), WorkflowFailedError);
      assert.equal((await lockRun('bronze/dimensions')).status.name, 'COMPLETED');
      assert.equal((await lockRun('bronze/fact_listening_events')).parentExecution?.workflowId, first.workflowId);
      lake.open();
      await first.result();
    });
  });

  it('spends no history on a long wait', async () => {
    const lake = writers([events, events]);
    await withWorker(fixture, lake.script.activities, async (world) => {
      const first = await load(world);
      await until('the first writes', () => lake.writing() === 1);
      const second = await load(world);
      await waitOf(second);
      const eventsAtFirst = (await second.describe()).historyLength;
      // Twelve looks at the lock.
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      assert.equal((await second.describe()).historyLength, eventsAtFirst);
      lake.open();
      await Promise.all([first.result(), second.result()]);
    });
  });

  it('brings many runs with overlapping tables to their end: one writer a table, nobody waits in a ring', async () => {
    const asked = Array.from({ length: 8 }, (_, index) => [songs, events, both, both.toReversed()][index % 4]!);
    const lake = writers(asked);
    lake.open();
    await withWorker(fixture, lake.script.activities, async (world) => {
      const runs = await Promise.all(asked.map(() => load(world)));
      await Promise.all(runs.map((run) => run.result()));
    });
    assert.deepEqual(lake.mostAtOnce(), { dim_songs: 1, fact_listening_events: 1 });
    assert.equal(lake.script.calls.filter((call) => call === 'loadBronze').length, asked.length);
  });

  async function lockRun(lock: string) {
    return fixture.env.client.workflow.getHandle(`write-lock/${lock}`).describe();
  }
});

function load(world: World): Promise<WorkflowHandle> {
  return world.start('initialDataLoad', { input: { refresh: false } });
}

async function waitOf(run: WorkflowHandle): Promise<NonNullable<RunProgress['waitingFor']>> {
  return until('the run waits', async () => (await run.query<RunProgress>('progress')).waitingFor);
}

interface Writers {
  readonly script: Script;
  /** Lets every write end, now and from now on. */
  open(): void;
  /** Writes that have begun and not ended. */
  writing(): number;
  /** The most writers that each table has had at once. */
  mostAtOnce(): Record<string, number>;
}

/** A lake into which the n-th run to start loads one file for each table of the n-th list. */
function writers(tablesOfRuns: readonly (readonly string[])[]): Writers {
  const left = [...tablesOfRuns];
  const door = gate();
  const now: Record<string, number> = {};
  const most: Record<string, number> = {};
  let writing = 0;
  const script = scripted({
    discoverLandingFiles: async () => ({ files: left.shift()!.map(fileOf), ignored: [] }),
    checkLandingFile: async (file) => fileOf(file.table),
    loadBronze: async ({ files }) => {
      writing++;
      for (const { table } of files) most[table] = Math.max(most[table] ?? 0, (now[table] = (now[table] ?? 0) + 1));
      await door.passed;
      for (const { table } of files) now[table]!--;
      writing--;
      return { files: files.map(({ file, rows }) => ({ file, bronze: rows, quarantined: 0, tableVersion: 1 })) };
    },
  });
  return { script, open: () => door.open(), writing: () => writing, mostAtOnce: () => most };
}

function fileOf(table: string): CheckedFile {
  return { file: `${table}.csv`, table, sizeBytes: 1, sha256: table, rows: 1 };
}
