import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFile, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { bronzeFileKey } from '../../contracts/ids.ts';
import { lake } from '../../contracts/lake.ts';
import type { ReviewResult, WeeklyTrendsResult } from '../../contracts/weekly.ts';
import { generateWeekly } from '../../generators/weekly.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import type { ServiceName } from '../../stack/services/service.ts';
import { readQuarantine, type TableDigest } from '../support/lake.ts';
import { directStore, ingestUnderFault, type Moment } from '../support/weekly-faults.ts';
import { startLoadedWorld, type PipelineWorld } from '../support/pipeline-world.ts';

const minutes = 60_000;
const events = 'bronze/fact_listening_events';
const refused = 'quarantine/fact_listening_events';

/** One stack for all of these: they run in this order, each leaving a lake that agrees with the files. */
describe('the weekly ingestion, on the real stack', function () {
  this.timeout(10 * minutes);
  let world: PipelineWorld;
  let store: ObjectStore;
  let folder: string;
  before(async function () {
    this.timeout(10 * minutes);
    world = await startLoadedWorld();
    folder = join(world.dataDir, 'weekly_trends');
    store = directStore(world);
    await generateWeekly({ count: 3, out: world.dataDir });
  });
  after(() => world?.stop());

  async function ingest(id: string, input: object = { refresh: false }): Promise<WeeklyTrendsResult> {
    return (await (await world.start('weeklyTrendsIngestion', id, input)).result()) as WeeklyTrendsResult;
  }

  /** Bronze and quarantine of the events, without the version, which a no-op leaves alone anyway. */
  async function tables(): Promise<Readonly<Record<string, TableDigest | null>>> {
    const all = await world.tables();
    return { [events]: all[events]!, [refused]: all[refused]! };
  }

  async function rowsOf(file: string): Promise<number> {
    return (await tables())[events]!.bySource[file] ?? 0;
  }

  /** A job with this identity that has read and sleeps before its commit, as after a pause of its machine. */
  async function startZombie(identity: string, file: string): Promise<{ wakeUp(): Promise<string> }> {
    const script = fileURLToPath(new URL('../support/zombie_job.py', import.meta.url));
    const spark = fileURLToPath(new URL('../../spark-submit', import.meta.url));
    const job = execa(world.stack.installed.python, [script, spark, identity, file], {
      env: { ...world.lake.env, SPARK_REMOTE: world.stack.env['SEGUE_SPARK_REMOTE']! },
      stdin: 'pipe',
      reject: false,
    });
    const said = job.iterable();
    assert.equal((await said.next()).value, 'ready');
    return {
      wakeUp: async () => {
        job.stdin.write('\n');
        return String((await said.next()).value);
      },
    };
  }

  async function ledgerCli(...args: readonly string[]): Promise<string> {
    const script = fileURLToPath(new URL('../../stack/ledger-cli.ts', import.meta.url));
    const { AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = world.lake.env;
    const { stdout } = await execa(process.execPath, ['--import', 'tsx', script, ...args], {
      env: {
        SEGUE_S3_ENDPOINT: AWS_ENDPOINT_URL!,
        SEGUE_S3_ACCESS_KEY: AWS_ACCESS_KEY_ID!,
        SEGUE_S3_SECRET_KEY: AWS_SECRET_ACCESS_KEY!,
      },
    });
    return stdout;
  }

  it('loads every new week once though two runs start at once, one of them from the temporal CLI', async () => {
    await execa(world.stack.installed.temporal, [
      ...['workflow', 'start', '--address', world.stack.env['SEGUE_TEMPORAL_ADDRESS']!],
      ...['--task-queue', 'segue', '--type', 'weeklyTrendsIngestion', '--workflow-id', 'w1'],
      ...['--input', '{"refresh": false}'],
    ]);
    const other = await ingest('w2');
    const first = (await world.client.workflow.getHandle('w1').result()) as WeeklyTrendsResult;
    const outcomes = [...first.weeks, ...other.weeks].map(({ outcome }) => outcome);
    assert.equal(outcomes.filter((outcome) => outcome === 'ingested').length, 3);
    assert.ok(outcomes.every((outcome) => ['ingested', 'unchanged'].includes(outcome)));
    // 2,000 events a day, a third more in weekly files, seven days.
    for (const week of ['07', '14', '21']) assert.equal(await rowsOf(`trends_2025-01-${week}.csv`), 18_669);
  });

  it('reads no file again that the ledger knows, and changes nothing', async () => {
    const before = await tables();
    const result = await ingest('again');
    assert.deepEqual([result.weeks, result.known], [[], 3]);
    assert.deepEqual(await tables(), before);
  });

  it('skips a re-delivered identical file', async () => {
    const before = await tables();
    const file = join(folder, 'trends_2025-01-07.csv');
    await copyFile(file, `${file}.part`);
    await rename(`${file}.part`, file);
    const result = await ingest('redelivered');
    assert.deepEqual(
      result.weeks.map(({ outcome }) => outcome),
      ['unchanged'],
    );
    assert.deepEqual(await tables(), before);
  });

  it('reads again what was reset in the ledger, and the tables are the same', async () => {
    const before = await tables();
    assert.match(await ledgerCli('list'), /^trends_2025-01-14\.csv +ingested +18669 +18669 +0 /m);
    await ledgerCli('reset', 'trends_2025-01-14.csv');
    assert.match(await ledgerCli('list'), /^trends_2025-01-14\.csv +to read /m);
    const result = await ingest('after-reset');
    assert.deepEqual(
      result.weeks.map(({ file, outcome }) => [file, outcome]),
      [['trends_2025-01-14.csv', 'replaced']],
    );
    const after = await tables();
    assert.equal(after[events]!.digest, before[events]!.digest);
    assert.deepEqual(after[events]!.bySource, before[events]!.bySource);
  });

  // One kill per service (Spark's is in first-run.test.ts); npm run test:faults has them all at every moment.
  const kills: readonly (readonly [ServiceName, Moment])[] = [
    ['worker', 'before the ledger'],
    ['minio', 'in the upload'],
    ['temporal', 'before the commit'],
  ];
  for (const [service, moment] of kills) {
    it(`has every row once and a ledger that agrees when ${service} is killed ${moment}`, async () => {
      await ingestUnderFault(world, moment, { strike: () => world.stack.kill(service) });
    });
  }

  it('replaces exactly the rows of a corrected file, in one commit', async () => {
    const before = (await tables())[events]!;
    const file = join(folder, 'trends_2025-01-14.csv');
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
    await writeFile(file, `${lines.slice(0, 101).join('\n')}\n`);
    const result = await ingest('corrected');
    assert.deepEqual(
      result.weeks.map(({ outcome, rows }) => [outcome, rows]),
      [['replaced', 100]],
    );
    const after = (await tables())[events]!;
    assert.equal(after.version, before.version + 1);
    assert.deepEqual(after.bySource, { ...before.bySource, 'trends_2025-01-14.csv': 100 });
  });

  it('takes a file that somebody put straight into the bucket', async () => {
    const rows = ['event_id,user_id,track_id,event_type,timestamp', 'b-1,1,10001,like,2025-02-01T10:00:00Z'];
    await store.put(lake.buckets.landing, 'weekly_trends/trends_2026-02-03.csv', `${rows.join('\r\n')}\r\n`);
    const result = await ingest('bucket');
    assert.deepEqual(
      result.weeks.map(({ file, bronze }) => [file, bronze]),
      [['trends_2026-02-03.csv', 1]],
    );
    assert.equal((await ingest('bucket-again')).known, 7);
  });

  it('does not take a file that is still being written before it is whole', async () => {
    const file = join(folder, 'trends_2026-02-10.csv');
    await writeFile(file, 'event_id,user_id,track_id,event_type,timestamp\nw-1,1,10001,like,2025-02-08T10:00:00Z\n');
    const running = ingest('half');
    await sleep(1_000);
    await writeFile(file, 'w-2,1,10002,like,2025-02-08T11:00:00Z\n', { flag: 'a' });
    assert.deepEqual(
      (await running).weeks.map(({ rows }) => rows),
      [2],
    );
  });

  it('ends a job that still works on the same file, and lets it commit nothing when it wakes up late', async () => {
    const content = 'event_id,user_id,track_id,event_type,timestamp\nz-1,1,10001,like,2025-02-15T10:00:00Z\n';
    const file = 'trends_2026-02-17.csv';
    const sha256 = createHash('sha256').update(content).digest('hex');
    const zombie = await startZombie(bronzeFileKey({ file, sha256, generation: 0 }), file);
    await writeFile(join(folder, file), content);
    await ingest('beside-a-zombie');
    const before = await tables();
    assert.match(await zombie.wakeUp(), /^refused: .*SESSION/);
    assert.deepEqual(await tables(), before);
    assert.equal(before[events]!.bySource[file], 1);
  });

  it('ingests the other weeks beside broken ones, and each broken one waits under its name', async () => {
    const header = 'event_id,user_id,track_id,event_type,timestamp';
    const good = (id: string): string => `${id},1,10001,like,2025-03-01T10:00:00Z`;
    const contents: Readonly<Record<string, string | Buffer>> = {
      'trends_2026-03-04.csv': `user_id,event_id,track_id,event_type,timestamp\n${good('x')}\n`,
      'trends_2026-03-11.csv': Buffer.concat([Buffer.from(`${header}\n`), Buffer.from([0xe9, 0x2c, 0x0a])]),
      'trends_2026-03-18.csv': header,
      'trends_2026-03-25.csv': `${header}\n${good('y')}\n${good('z')},more\n`,
      // Good enough: a byte order mark, CRLF, one row of 30 with an open quote, one of 10 MB.
      'trends_2026-04-01.csv': `\ufeff${[header, ...Array.from({ length: 58 }, (_, n) => good(`q-${n}`)), '"open,1,10001,like,2025-03-01T10:00:00Z', `${'x'.repeat(10_000_000)},1,10001,like`].join('\r\n')}`,
      'trends_2025-02-30.csv': `${header}\n${good('no-such-day')}\n`,
      'trends_..%2f2025-01-07.csv': header,
    };
    for (const [name, content] of Object.entries(contents)) await writeFile(join(folder, name), content);
    await store.put(lake.buckets.landing, 'weekly_trends/sub/trends_2025-05-06.csv', header);

    const result = await ingest('broken');
    assert.deepEqual(
      result.weeks.map(({ file, rows, bronze, quarantined }) => [file, rows, bronze, quarantined]),
      [['trends_2026-04-01.csv', 60, 58, 2]],
    );
    assert.deepEqual(
      result.waiting.map(({ file, type }) => [file, type]),
      [
        ['trends_2026-03-04.csv', 'LandingFileHeader'],
        ['trends_2026-03-11.csv', 'LandingFileEncoding'],
        ['trends_2026-03-18.csv', 'LandingFileEmpty'],
        ['trends_2026-03-25.csv', 'TooManyRefusedRows'],
      ],
    );
    assert.deepEqual(result.ignored.map(({ file }) => file).toSorted(), [
      'sub/trends_2025-05-06.csv',
      'trends_..%2f2025-01-07.csv',
      'trends_2025-02-30.csv',
    ]);
    const rows = await readQuarantine(world.lake, 'fact_listening_events');
    assert.deepEqual(
      rows.map(({ line, reason }) => [line, reason]),
      [
        [60, 'unclosed_quote'],
        [61, 'wrong_column_count'],
      ],
    );
  });

  it('takes a decision by the API, and refuses one about a file that does not wait', async () => {
    const decide = async (file: string, decision: string): Promise<number> => {
      const { status } = await fetch(`${world.apiUrl}/pipeline/weekly-trends/decisions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${world.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ file, decision }),
      });
      return status;
    };
    assert.equal(await decide('trends_2026-03-11.csv', 'accept'), 409);
    assert.equal(await decide('trends_2025-01-07.csv', 'reject'), 404);
    assert.equal(await decide('trends_2026-03-25.csv', 'reject'), 202);
    const review = world.client.workflow.getHandle('weekly-trends/2026-03-25');
    assert.equal(((await review.result()) as ReviewResult).outcome, 'rejected');
  });

  it('asks no more about a file that was rejected with the temporal CLI', async () => {
    await execa(world.stack.installed.temporal, [
      ...['workflow', 'update', 'execute', '--address', world.stack.env['SEGUE_TEMPORAL_ADDRESS']!],
      ...['--workflow-id', 'weekly-trends/2026-03-04', '--name', 'decide', '--input', '{"decision":"reject"}'],
    ]);
    await world.client.workflow.getHandle('weekly-trends/2026-03-04').result();
    const result = await ingest('after-rejection');
    assert.deepEqual(
      result.waiting.map(({ file }) => file),
      ['trends_2026-03-11.csv', 'trends_2026-03-18.csv'],
    );
  });

  it('has a schedule that can be triggered, and is paused with a note', async () => {
    const schedule = world.client.schedule.getHandle('weekly-trends-ingestion');
    const { policies, state } = await schedule.describe();
    assert.deepEqual([policies.overlap, policies.pauseOnFailure, state.paused], ['BUFFER_ONE', true, false]);
    assert.match(state.note ?? '', /worker/);
  });
});
