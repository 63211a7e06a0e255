import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createLandingActivities, createWeeklyActivities } from '../../activities/index.ts';
import { weekEndOf } from '../../activities/weekly-listing.ts';
import { rules } from '../../contracts/acceptance/rules.ts';
import type { CheckedWeeklyFile, WeeklyActivities, WeeklyFile, WeeklyListing } from '../../contracts/weekly.ts';
import { createWeeklyLedger } from '../../platform/weekly-ledger.ts';
import { createMemoryStore } from '../support/memory-store.ts';

const header = 'event_id,user_id,track_id,event_type,timestamp';
const name = 'trends_2025-01-07.csv';

function row(id: number | string, timestamp = '2025-01-03T10:00:00Z'): string {
  return `e-${id},u1,t1,like,${timestamp}`;
}

function rows(count: number): string[] {
  return Array.from({ length: count }, (_, index) => row(index));
}

describe('weekly files', () => {
  let dataDir: string;
  let folder: string;
  let store: ReturnType<typeof createMemoryStore>;
  let activities: WeeklyActivities;
  let now: Date;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'segue-test-'));
    folder = join(dataDir, 'weekly_trends');
    await mkdir(folder);
    store = createMemoryStore();
    now = new Date('2025-02-01T00:00:00Z');
    activities = createWeeklyActivities({
      dataDir,
      store,
      earliestListen: rules.time.earliest,
      maxRefusedShare: 0.05,
      now: () => now,
      expectSparkJob: () => undefined,
    });
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  const inActivity = <Answer>(work: () => Promise<Answer>): Promise<Answer> =>
    new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(work);
  const discover = (): Promise<WeeklyListing> => inActivity(() => activities.discoverWeeklyFiles({}));
  const putObject = (file: string, content: string): Promise<unknown> =>
    store.put('landing', `weekly_trends/${file}`, content);

  /** Says that the generator has renamed everything into place: nothing has to be watched. */
  async function generated(lastWeekEnd = '2099-12-31'): Promise<void> {
    const path = join(dataDir, 'data_generation_state.json');
    await writeFile(path, JSON.stringify({ lastWeekEnd }));
    const later = Date.now() / 1000 + 60;
    await utimes(path, later, later);
  }

  async function check(content: string | Buffer, acceptRefused = false): Promise<CheckedWeeklyFile> {
    await writeFile(join(folder, name), content);
    const weekly = { weekEnd: '2025-01-07', origin: 'directory', stamp: 's' } as const;
    const file: WeeklyFile = { file: name, table: 'fact_listening_events', sizeBytes: 0, weekly };
    return inActivity(() => activities.checkWeeklyFile({ file, acceptRefused }));
  }

  async function refusal(content: string | Buffer): Promise<string> {
    try {
      const { refusedRows } = await check(content);
      return `loads, ${refusedRows} row(s) to quarantine`;
    } catch (error) {
      assert.ok(error instanceof ApplicationFailure);
      assert.match(error.message, /trends_2025-01-07\.csv/);
      assert.ok(error.nonRetryable);
      return error.type ?? '';
    }
  }

  describe('each kind of broken file has its named outcome', () => {
    const lines = (...all: readonly string[]): string => `${[header, ...all].join('\n')}\n`;
    const cases: readonly (readonly [string, string | Buffer, string])[] = [
      ['a good file', lines(...rows(3)), 'loads, 0 row(s) to quarantine'],
      ['swapped columns', `user_id,event_id,track_id,event_type,timestamp\n${row(1)}\n`, 'LandingFileHeader'],
      ['a missing column', 'event_id,user_id,track_id,event_type\ne,u,t,like\n', 'LandingFileHeader'],
      ['an extra column', `${header},device\n${row(1)},phone\n`, 'LandingFileHeader'],
      ['a column in another case', `Event_id${header.slice(8)}\n${row(1)}\n`, 'LandingFileHeader'],
      ['no header', `${rows(3).join('\n')}\n`, 'LandingFileHeader'],
      ['byte order mark and CRLF', `\ufeff${[header, ...rows(3)].join('\r\n')}\r\n`, 'loads, 0 row(s) to quarantine'],
      [
        'Latin-1 bytes',
        Buffer.concat([Buffer.from(`${header}\ne,u`), Buffer.from([0xe9, 0x0a])]),
        'LandingFileEncoding',
      ],
      ['NUL bytes', lines(row(1), `e\0,u,t,like,2025-01-03T10:00:00Z`), 'LandingFileEncoding'],
      [
        'a hole of NUL bytes at the end',
        Buffer.concat([Buffer.from(lines(row(1))), Buffer.alloc(512)]),
        'LandingFileEncoding',
      ],
      ['a truncated last line', `${lines(...rows(40))}e-40,u1,t1,li`, 'loads, 1 row(s) to quarantine'],
      [
        'an unclosed quote',
        lines(...rows(40), `"e-40,u1,t1,like,2025-01-03T10:00:00Z`),
        'loads, 1 row(s) to quarantine',
      ],
      ['a line of 10 MB', lines(...rows(40), 'x'.repeat(10_000_000)), 'loads, 1 row(s) to quarantine'],
      ['a line of 40 MB', lines(...rows(40), 'x'.repeat(40_000_000)), 'LandingFileLine'],
      ['a line of 30,000 fields', lines(...rows(40), ','.repeat(30_000)), 'loads, 1 row(s) to quarantine'],
      [
        'wrong dates in a few rows',
        lines(...rows(40), row(40, '2025-02-30T10:00:00Z')),
        'loads, 1 row(s) to quarantine',
      ],
      [
        'times without seconds',
        lines(...rows(40).map((text) => text.replace(':00Z', 'Z'))),
        'loads, 0 row(s) to quarantine',
      ],
      ['a space before the zone', lines(row(1), row(2, '2025-01-03T10:00:00 Z')), 'TooManyRefusedRows'],
      ['sentinels for unknown times', lines(row(1), row(2, '9999-12-31T23:59:59Z')), 'TooManyRefusedRows'],
      [
        'a listen of two hours ahead',
        lines(...rows(40), row(40, '2025-02-01T02:00:00Z')),
        'loads, 1 row(s) to quarantine',
      ],
      [
        'control characters in an id',
        lines(...rows(40), row(40).replace('e-', 'e\u0085-')),
        'loads, 1 row(s) to quarantine',
      ],
      ['wrong dates in many rows', lines(row(1), row(2, '03.01.2025 10:00')), 'TooManyRefusedRows'],
      ['duplicate ids, which silver counts and drops', lines(row(1), row(1)), 'loads, 0 row(s) to quarantine'],
      ['a header with an unclosed quote', `"${header}\n${row(1)}\n`, 'LandingFileHeader'],
      ['no bytes', '', 'LandingFileEmpty'],
      ['blank lines alone', '\n\n', 'LandingFileEmpty'],
      ['a header alone', `${header}\n`, 'LandingFileEmpty'],
    ];
    for (const [title, content, outcome] of cases) {
      it(`${title}: ${outcome}`, async () => {
        assert.equal(await refusal(content), outcome);
      });
    }
  });

  it('leaves a file that is gone between two steps to the next run, instead of waiting for it', async () => {
    const checked = await check(`${[header, row(1)].join('\n')}\n`);
    await rm(join(folder, name));
    const changed = (error: unknown): boolean =>
      error instanceof ApplicationFailure && error.type === 'LandingFileChanged' && error.nonRetryable === true;
    await assert.rejects(
      inActivity(() => activities.checkWeeklyFile({ file: checked, acceptRefused: false })),
      changed,
    );
    const landing = createLandingActivities({ dataDir, store, expectSparkJob: () => undefined });
    // Where nothing is sent there is no progress to tell a client of.
    const client = new Client({ connection: Connection.lazy() });
    const withClient = new MockActivityEnvironment({}, { client, logger: new DefaultLogger('ERROR') });
    await assert.rejects(
      withClient.run(() => landing.uploadLandingFile(checked)),
      changed,
    );
  });

  describe('the share of bad rows', () => {
    const withBad = (good: number, bad: number): string =>
      `${[header, ...rows(good), ...Array.from({ length: bad }, () => 'no row')].join('\n')}\n`;

    it('may be as high as allowed, and not one row higher', async () => {
      // 5 of 100 are 5 %; 6 of 100 are more.
      assert.equal((await check(withBad(95, 5))).refusedRows, 5);
      assert.equal(await refusal(withBad(94, 6)), 'TooManyRefusedRows');
    });

    it('may be anything once a person has accepted it', async () => {
      const found = await check(withBad(1, 9), true);
      assert.deepEqual([found.rows, found.refusedRows, found.refusedReasons], [10, 9, { wrong_column_count: 9 }]);
    });

    it('accepts no file that is broken as a whole, whoever asks', async () => {
      await assert.rejects(check('a,b\n1,2\n', true), { type: 'LandingFileHeader' });
    });
  });

  describe('names', () => {
    it('take only trends_YYYY-MM-DD.csv with a day of the calendar', () => {
      assert.equal(weekEndOf('trends_2025-01-07.csv'), '2025-01-07');
      assert.equal(weekEndOf('trends_2024-02-29.csv'), '2024-02-29');
      for (const other of [
        'trends_2025-02-29.csv',
        'trends_2025-13-01.csv',
        'trends_2025-1-7.csv',
        'trends_2025-01-07.CSV',
        'trends_2025-01-07.csv.part',
        'trends_2025-01-07 (1).csv',
        'Trends_2025-01-07.csv',
        '../trends_2025-01-07.csv',
        'sub/trends_2025-01-07.csv',
        'trends_..%2f2025-01-07.csv',
        'trends_2025-01-07.csv\n',
        '.trends_2025-01-07.csv',
      ]) {
        assert.equal(weekEndOf(other), undefined, other);
      }
    });

    it('that do not match are reported with the reason, from both places, and nothing is guessed', async () => {
      await generated();
      await writeFile(join(folder, 'trends_2025-02-30.csv'), header);
      await mkdir(join(folder, 'trends_2025-01-14.csv'));
      await symlink('/nowhere', join(folder, 'trends_2025-01-21.csv'));
      await putObject('sub/trends_2025-01-07.csv', header);
      const { files, ignored } = await discover();
      assert.deepEqual(files, []);
      assert.deepEqual(
        ignored.map(({ file, why }) => `${file} ${why}`.slice(0, 50)).toSorted(),
        [
          'sub/trends_2025-01-07.csv is not named trends_YYYY',
          'trends_2025-01-14.csv is no regular file',
          'trends_2025-02-30.csv is not named trends_YYYY-MM-',
        ].toSorted(),
      );
    });
  });

  describe('discovery', () => {
    it('finds nothing where there is no folder', async () => {
      await rm(folder, { recursive: true });
      assert.deepEqual(await discover(), { files: [], known: 0, ignored: [], unsettled: [] });
    });

    it('lists both places together, oldest week first, whatever came first', async () => {
      await generated();
      await writeFile(join(folder, 'trends_2025-01-14.csv'), header);
      await writeFile(join(folder, 'trends_2023-05-02.csv'), header);
      await putObject('trends_2025-01-07.csv', header);
      const { files } = await discover();
      assert.deepEqual(
        files.map(({ file, weekly }) => [file, weekly.origin]),
        [
          ['trends_2023-05-02.csv', 'directory'],
          ['trends_2025-01-07.csv', 'bucket'],
          ['trends_2025-01-14.csv', 'directory'],
        ],
      );
    });

    it('takes the copy that was written last where both places have the week', async () => {
      await generated();
      const path = join(folder, name);
      await writeFile(path, header);
      await utimes(path, new Date(0), new Date(0));
      await putObject(name, `${header}\n${row(1)}\n`);
      const { files } = await discover();
      assert.deepEqual(
        files.map(({ weekly }) => weekly.origin),
        ['bucket'],
      );
    });

    it('takes no object for a delivery that a run of ours has sent up', async () => {
      await generated();
      const path = join(folder, name);
      await writeFile(path, header);
      await store.uploadFile({ bucket: 'landing', key: `weekly_trends/${name}`, path, metadata: { sha256: 'x' } });
      const { files } = await discover();
      assert.deepEqual(
        files.map(({ weekly }) => weekly.origin),
        ['directory'],
      );
      // The file is gone before its load was recorded: the copy is all there is.
      await rm(path);
      const later = await discover();
      assert.deepEqual(
        later.files.map(({ weekly }) => weekly.origin),
        ['bucket'],
      );
    });

    it('waits for a file that is being written, and takes it whole', async () => {
      const path = join(folder, name);
      await writeFile(path, header);
      const listing = discover();
      setTimeout(() => void writeFile(path, `${header}\n${row(1)}\n`), 700);
      const startedAt = performance.now();
      const [file] = (await listing).files;
      assert.equal(file?.sizeBytes, `${header}\n${row(1)}\n`.length);
      // Two seconds after the last change, which came after 0.7.
      assert.ok(performance.now() - startedAt >= 2_500);
    });

    it('does not trust an old date: a file is watched unless the generator has finished it', async () => {
      const path = join(folder, name);
      await writeFile(path, header);
      await utimes(path, new Date(0), new Date(0));
      const startedAt = performance.now();
      await discover();
      assert.ok(performance.now() - startedAt >= 2_000);
    });

    it('takes generated files at once', async () => {
      await writeFile(join(folder, name), header);
      await generated();
      const startedAt = performance.now();
      assert.equal((await discover()).files.length, 1);
      assert.ok(performance.now() - startedAt < 1_500);
    });
  });

  describe('the ledger', () => {
    const result = (file: string, bronze: number): Parameters<WeeklyActivities['recordWeeklyLoad']>[0]['result'] => ({
      files: [{ file, bronze, quarantined: 0, tableVersion: 3 }],
    });

    /** One delivery: found, checked, planned, uploaded, loaded by a Spark that keeps every row, recorded. */
    async function deliver(content: string, bronze?: number): Promise<string> {
      await writeFile(join(folder, name), content);
      await generated();
      const [file] = (await discover()).files;
      if (!file) return 'known';
      const checked = await inActivity(() => activities.checkWeeklyFile({ file, acceptRefused: false }));
      const planned = await activities.planWeeklyLoad([checked]);
      const path = join(folder, name);
      await store.uploadFile({
        ...{ bucket: 'landing', key: `weekly_trends/${name}`, path },
        metadata: { sha256: checked.sha256 },
      });
      await store.put('data', 'bronze/fact_listening_events/_delta_log/00000000000000000003.json', '{}');
      const counted = result(name, bronze ?? checked.rows);
      const [week] = await inActivity(() => activities.recordWeeklyLoad({ planned, result: counted }));
      return `${week!.outcome} ${planned[0]!.generation}`;
    }

    const first = `${[header, row(1)].join('\n')}\n`;
    const second = `${[header, row(1), row(2)].join('\n')}\n`;
    const entries = (): string[] => [...store.objects.keys()].filter((key) => key.includes('_control')).toSorted();

    it('is written only after rows agree, and knows the file from then on', async () => {
      await assert.rejects(deliver(first, 0), { type: 'ReconciliationFailed' });
      assert.deepEqual(entries(), []);
      assert.equal(await deliver(first), 'ingested 0');
      assert.match(entries()[0]!, /^data\/_control\/weekly_trends\/2025-01-07\/000000-[0-9a-f]{64}\.json$/);
      assert.deepEqual([(await discover()).files, (await discover()).known], [[], 1]);
    });

    it('tells an identical re-delivery from a corrected file, and a correction from one that is taken back', async () => {
      assert.equal(await deliver(first), 'ingested 0');
      assert.equal(await deliver(first), 'unchanged 0');
      assert.equal(await deliver(second), 'replaced 2');
      // The first content again is a new commit: its old transaction must not swallow it.
      assert.equal(await deliver(first), 'replaced 3');
    });

    it('has a file that was reset read again, under a new generation', async () => {
      await deliver(first);
      assert.equal(await createWeeklyLedger(store).reset('2025-01-07', now), true);
      assert.equal(await deliver(first), 'replaced 2');
    });

    it('does not record a week whose object was replaced while Spark read it', async () => {
      await writeFile(join(folder, name), first);
      await generated();
      const [file] = (await discover()).files;
      const checked = await inActivity(() => activities.checkWeeklyFile({ file: file!, acceptRefused: false }));
      const planned = await activities.planWeeklyLoad([checked]);
      await putObject(name, second);
      await assert.rejects(
        inActivity(() => activities.recordWeeklyLoad({ planned, result: result(name, 1) })),
        { type: 'LandingFileChanged' },
      );
      assert.deepEqual(entries(), []);
    });

    it('remembers a rejection until the file changes', async () => {
      await writeFile(join(folder, name), first);
      await generated();
      const [file] = (await discover()).files;
      await inActivity(() => activities.recordRejection(file!));
      await inActivity(() => activities.recordRejection(file!));
      assert.deepEqual([entries().length, (await discover()).files], [1, []]);
      assert.equal(await deliver(second), 'replaced 1');
    });

    it('rejects a file that somebody has taken away: there is nothing left to reject', async () => {
      await writeFile(join(folder, name), first);
      await generated();
      const [file] = (await discover()).files;
      await rm(join(folder, name));
      await inActivity(() => activities.recordRejection(file!));
      assert.deepEqual(entries(), []);
    });

    it('loads again what the ledger knows when bronze has lost it', async () => {
      await deliver(first);
      store.objects.delete('data/bronze/fact_listening_events/_delta_log/00000000000000000003.json');
      await rm(join(folder, name));
      await writeFile(join(folder, name), first);
      await generated();
      const [file] = (await discover()).files;
      const checked = await inActivity(() => activities.checkWeeklyFile({ file: file!, acceptRefused: false }));
      assert.equal((await activities.planWeeklyLoad([checked]))[0]!.action, 'load');
    });
  });
});
