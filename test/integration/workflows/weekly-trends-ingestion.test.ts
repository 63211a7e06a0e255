import assert from 'node:assert/strict';
import { WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import { failure } from '../../../activities/failures.ts';
import type { RunProgress } from '../../../contracts/progress.ts';
import type { ReviewResult, WeeklyFile, WeeklyListing, WeeklyTrendsResult } from '../../../contracts/weekly.ts';
import { scripted, weeklyFile } from '../../support/scripted-activities.ts';
import { startTemporal, withWorker, type TemporalFixture } from '../../support/temporal.ts';
import { until } from '../../support/wait.ts';

describe('weeklyTrendsIngestion, orchestration', function () {
  this.timeout(60_000);
  let fixture: TemporalFixture;
  before(async () => {
    fixture = await startTemporal();
  });
  after(() => fixture.env.teardown());

  /** Reviews outlive the run that starts them: none must meet the next test's. */
  afterEach(async () => {
    const open = fixture.env.client.workflow.list({
      query: `WorkflowType = 'reviewWeeklyFile' AND ExecutionStatus = 'Running'`,
    });
    for await (const { workflowId } of open) {
      await fixture.env.client.workflow.getHandle(workflowId).terminate('the test is over');
    }
  });

  const review = (weekEnd: string): WorkflowHandle => fixture.env.client.workflow.getHandle(`weekly-trends/${weekEnd}`);

  it('finds, checks, uploads, loads and records a new week, then refreshes, with no input', async () => {
    const script = scripted();
    const { result, week } = await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('weeklyTrendsIngestion');
      const value = (await handle.result()) as WeeklyTrendsResult;
      const { searchAttributes } = await handle.describe();
      return { result: value, week: searchAttributes['SegueWeek'] };
    });
    const steps = script.calls.filter((call) => call !== 'announce');
    assert.deepEqual(steps.slice(0, 6), [
      'discoverWeeklyFiles',
      'checkWeeklyFile',
      'planWeeklyLoad',
      'uploadLandingFile',
      'loadBronze',
      'recordWeeklyLoad',
    ]);
    assert.ok(steps.indexOf('publishSnapshot') > steps.indexOf('recordWeeklyLoad'));
    assert.deepEqual(result.weeks, [
      ...[{ file: 'trends_2025-01-07.csv', weekEnd: '2025-01-07', outcome: 'ingested', rows: 7 }].map((each) => ({
        ...each,
        bronze: 7,
        quarantined: 0,
      })),
    ]);
    assert.deepEqual([result.waiting, result.unsettled, result.refresh?.outcome], [[], [], 'published']);
    assert.deepEqual(week, ['2025-01-07']);
  });

  it('does not submit a Spark job when there is nothing new, and still refreshes what an earlier run could not', async () => {
    const script = scripted({ discoverWeeklyFiles: async () => listing([]) });
    const result = await run(fixture, script.activities);
    assert.deepEqual([result.weeks, script.calls.includes('loadBronze')], [[], false]);
    assert.ok(script.calls.includes('describeRefresh'));
  });

  it('brings twenty weeks in, oldest first, a few to a job and a few checks at once', async () => {
    const weeks = Array.from({ length: 20 }, (_, index) => `2025-03-${String(index + 1).padStart(2, '0')}`);
    const loaded: string[][] = [];
    let checking = 0;
    let mostAtOnce = 0;
    const script = scripted({
      discoverWeeklyFiles: async () => listing(weeks.map(weeklyFile)),
      checkWeeklyFile: async ({ file }) => {
        mostAtOnce = Math.max(mostAtOnce, ++checking);
        await new Promise((resolve) => setTimeout(resolve, 20));
        checking--;
        return { ...file, sha256: file.file, rows: 7, refusedRows: 0, refusedReasons: {} };
      },
      loadBronze: async ({ files }) => {
        loaded.push(files.map((file) => file.weekly!.weekEnd));
        return { files: files.map(({ file, rows }) => ({ file, bronze: rows, quarantined: 0, tableVersion: 1 })) };
      },
    });
    const result = await run(fixture, script.activities);
    assert.deepEqual(loaded.flat(), weeks);
    assert.deepEqual([...new Set(loaded.map((job) => job.length))], [4]);
    assert.ok(mostAtOnce > 1 && mostAtOnce <= 4, `${mostAtOnce} checks at once`);
    assert.equal(result.rows.bronze, 140);
  });

  for (const type of ['LandingFileHeader', 'LandingFileEncoding', 'LandingFileEmpty', 'LandingFileLine'] as const) {
    it(`leaves a file with ${type} out, ingests the other weeks, and has a review wait for a person`, async () => {
      const script = scripted(oneBadWeek('2025-01-07', () => failure(type, 'trends_2025-01-07.csv: is broken')));
      await withWorker(fixture, script.activities, async (world) => {
        const result = (await (await world.start('weeklyTrendsIngestion')).result()) as WeeklyTrendsResult;
        assert.deepEqual(
          result.weeks.map(({ weekEnd }) => weekEnd),
          ['2025-01-14'],
        );
        assert.deepEqual(
          result.waiting.map((each) => [each.file, each.type, each.reviewId]),
          [['trends_2025-01-07.csv', type, 'weekly-trends/2025-01-07']],
        );
        assert.equal(result.refresh?.outcome, 'published');
        const progress = await review('2025-01-07').query<RunProgress>('progress');
        const message = 'trends_2025-01-07.csv: is broken';
        assert.deepEqual(progress.heldFiles, [{ file: 'trends_2025-01-07.csv', type, message }]);
        await assert.rejects(decide(review('2025-01-07'), 'accept'), WorkflowUpdateFailedError);
      });
      assert.equal(script.calls.filter((call) => call === 'loadBronze').length, 1);
    });
  }

  it('loads a file with too many bad rows once a person accepts it, and refreshes', async () => {
    const script = scripted(oneBadWeek('2025-01-07', tooMany));
    await withWorker(fixture, script.activities, async (world) => {
      await (await world.start('weeklyTrendsIngestion')).result();
      await decide(review('2025-01-07'), 'accept');
      const result = (await review('2025-01-07').result()) as ReviewResult;
      assert.deepEqual([result.outcome, result.week?.bronze], ['ingested', 7]);
      assert.equal(result.refresh?.outcome, 'published');
    });
  });

  it('notes a rejection and loads nothing of that file', async () => {
    const script = scripted(oneBadWeek('2025-01-07', tooMany));
    await withWorker(fixture, script.activities, async (world) => {
      await (await world.start('weeklyTrendsIngestion')).result();
      await decide(review('2025-01-07'), 'reject');
      assert.equal(((await review('2025-01-07').result()) as ReviewResult).outcome, 'rejected');
    });
    assert.equal(script.calls.filter((call) => call === 'recordRejection').length, 1);
    assert.equal(script.calls.filter((call) => call === 'loadBronze').length, 1);
  });

  it('reads the file again when a person replaced it, and waits on when that one is no better', async () => {
    let isMended = false;
    const script = scripted(oneBadWeek('2025-01-07', () => (isMended ? undefined : tooMany())));
    await withWorker(fixture, script.activities, async (world) => {
      await (await world.start('weeklyTrendsIngestion')).result();
      await decide(review('2025-01-07'), 'replace');
      await until('it waits again', async () => {
        const { stage } = await review('2025-01-07').query<RunProgress>('progress');
        return stage.startsWith('waiting') && script.calls.filter((call) => call === 'checkWeeklyFile').length === 3;
      });
      isMended = true;
      await decide(review('2025-01-07'), 'replace');
      assert.equal(((await review('2025-01-07').result()) as ReviewResult).outcome, 'ingested');
    });
  });

  for (const [when, found] of [
    ['is still being copied', { files: [], unsettled: ['trends_2025-01-07.csv'] }],
    ['is written to while it is read', { files: [weeklyFile('2025-01-07')], unsettled: [] }],
  ] as const) {
    it(`says of a file that ${when} that it is still being written, not that it is missing, and waits on`, async () => {
      let isReplaced = false;
      const script = scripted({
        ...oneBadWeek('2025-01-07', () => (isReplaced ? failure('LandingFileChanged', 'was replaced') : tooMany())),
        discoverWeeklyFiles: async ({ only }) =>
          only ? { ...listing([]), ...found } : listing(['2025-01-07'].map(weeklyFile)),
      });
      await withWorker(fixture, script.activities, async (world) => {
        await (await world.start('weeklyTrendsIngestion')).result();
        isReplaced = true;
        await decide(review('2025-01-07'), 'replace');
        await until('it waits again, and says why', async () => {
          const { stage, heldFiles } = await review('2025-01-07').query<RunProgress>('progress');
          return stage.startsWith('waiting') && /still being written/.test(heldFiles?.[0]?.message ?? '');
        });
        assert.equal((await review('2025-01-07').describe()).status.name, 'RUNNING');
      });
      assert.equal(script.calls.filter((call) => call === 'loadBronze').length, 0);
    });
  }

  it('refuses a decision it does not know', async () => {
    const script = scripted(oneBadWeek('2025-01-07', tooMany));
    await withWorker(fixture, script.activities, async (world) => {
      await (await world.start('weeklyTrendsIngestion')).result();
      await assert.rejects(decide(review('2025-01-07'), 'maybe'), WorkflowUpdateFailedError);
      assert.equal((await review('2025-01-07').describe()).status.name, 'RUNNING');
    });
  });

  it('names a file that waits already in every run, with one review', async () => {
    const script = scripted(oneBadWeek('2025-01-07', tooMany));
    await withWorker(fixture, script.activities, async (world) => {
      for (let count = 0; count < 2; count++) {
        const result = (await (await world.start('weeklyTrendsIngestion')).result()) as WeeklyTrendsResult;
        assert.equal(result.waiting.length, 1);
      }
    });
  });

  it('ends a review whose week was ingested from a better file meanwhile, also when the refresh then fails', async () => {
    let isMended = false;
    const script = scripted({
      ...oneBadWeek('2025-01-07', () => (isMended ? undefined : tooMany())),
      buildSilver: async () => {
        throw failure('TableCheckFailed', 'planned');
      },
    });
    await withWorker(fixture, script.activities, async (world) => {
      await (await world.start('weeklyTrendsIngestion', { input: { refresh: false } })).result();
      isMended = true;
      await (await world.start('weeklyTrendsIngestion')).result();
      assert.equal(((await review('2025-01-07').result()) as ReviewResult).outcome, 'superseded');
    });
  });

  it('loads the other files of a job when Spark breaks on one of them', async () => {
    const script = scripted({
      discoverWeeklyFiles: async () => listing(['2025-01-07', '2025-01-14', '2025-01-21'].map(weeklyFile)),
      loadBronze: async ({ files }) => {
        if (files.some(({ weekly }) => weekly!.weekEnd === '2025-01-14')) {
          throw failure('SparkBrokenContract', 'load_bronze: trends_2025-01-14.csv');
        }
        return { files: files.map(({ file, rows }) => ({ file, bronze: rows, quarantined: 0, tableVersion: 1 })) };
      },
    });
    const result = await run(fixture, script.activities);
    assert.deepEqual(
      result.weeks.map(({ weekEnd }) => weekEnd),
      ['2025-01-07', '2025-01-21'],
    );
    assert.deepEqual(
      result.waiting.map(({ type }) => type),
      ['SparkBrokenContract'],
    );
  });

  it('sends no new file after one could not be sent, and none twice at once, while each is tried by itself', async () => {
    const weeks = ['2025-01-07', '2025-01-14', '2025-01-21', '2025-01-28'];
    const sending = new Set<string>();
    const started: string[] = [];
    const script = scripted({
      discoverWeeklyFiles: async () => listing(weeks.map(weeklyFile)),
      uploadLandingFile: async ({ file, weekly }) => {
        assert.ok(!sending.has(file), `${file} is sent twice at once`);
        sending.add(file);
        started.push(weekly!.weekEnd);
        // The other of the first two is still under way when the first has failed.
        if (weekly!.weekEnd !== '2025-01-07') await new Promise((resolve) => setTimeout(resolve, 1_500));
        sending.delete(file);
        if (weekly!.weekEnd === '2025-01-07') throw failure('LandingFileChanged', `${file} changed`);
        return { sentBytes: 1 };
      },
    });
    const result = await withWorker(fixture, script.activities, async (world) => {
      const handle = await world.start('weeklyTrendsIngestion', { input: { parallel: 2, refresh: false } });
      return (await handle.result()) as WeeklyTrendsResult;
    });
    // Two are sent side by side, in either order; after the failure each of the four by itself.
    assert.deepEqual([started.slice(0, 2).toSorted(), started.slice(2)], [weeks.slice(0, 2), weeks]);
    assert.deepEqual(
      [result.unsettled, result.weeks.map(({ weekEnd }) => weekEnd)],
      [['trends_2025-01-07.csv'], weeks.slice(1)],
    );
  });

  it('fails when rows do not reconcile: that is about the lake, not about one file', async () => {
    const script = scripted({
      recordWeeklyLoad: async () => {
        throw failure('ReconciliationFailed', 'trends_2025-01-07.csv: 7 rows in the file, 6 in bronze');
      },
    });
    await assert.rejects(run(fixture, script.activities));
    assert.ok(!script.calls.includes('publishSnapshot'));
  });

  it('names a file that was replaced under its hands as still being written', async () => {
    const script = scripted(oneBadWeek('2025-01-07', () => failure('LandingFileChanged', 'was replaced')));
    const result = await run(fixture, script.activities);
    assert.deepEqual([result.unsettled, result.waiting], [['trends_2025-01-07.csv'], []]);
  });
});

async function run(
  fixture: TemporalFixture,
  activities: Parameters<typeof withWorker>[1],
): Promise<WeeklyTrendsResult> {
  return withWorker(
    fixture,
    activities,
    async (world) => (await (await world.start('weeklyTrendsIngestion')).result()) as WeeklyTrendsResult,
  );
}

function listing(files: readonly WeeklyFile[]): WeeklyListing {
  return { files, known: 0, ignored: [], unsettled: [] };
}

function tooMany(): Error {
  return failure('TooManyRefusedRows', 'trends_2025-01-07.csv: 3 of 7 rows would be refused');
}

/** Two weeks; the check of one fails as long as `problem` says so and nobody accepted its bad rows. */
function oneBadWeek(bad: string, problem: () => Error | undefined): Parameters<typeof scripted>[0] {
  return {
    discoverWeeklyFiles: async ({ only }) => listing((only ? [only] : [bad, '2025-01-14']).map(weeklyFile)),
    checkWeeklyFile: async ({ file, acceptRefused }) => {
      const found = file.weekly.weekEnd === bad && !acceptRefused ? problem() : undefined;
      if (found) throw found;
      return { ...file, sha256: file.file, rows: 7, refusedRows: 0, refusedReasons: {} };
    },
  };
}

function decide(handle: WorkflowHandle, decision: string): Promise<unknown> {
  return handle.executeUpdate('decide', { args: [{ decision }] });
}
