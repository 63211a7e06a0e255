import assert from 'node:assert/strict';
import { appendFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { execa } from 'execa';
import type { ForgetUserReceipt } from '../../contracts/forgetting.ts';
import type { RunProgress } from '../../contracts/progress.ts';
import type { InitialDataLoadResult, RefreshedTable, RefreshResult } from '../../contracts/runs.ts';
import { dashboardMetrics } from '../support/dashboard.ts';
import { readQuarantine, reconcileLake, userRows } from '../support/lake.ts';
import { startPipelineWorld, type PipelineWorld } from '../support/pipeline-world.ts';
import { until } from '../support/wait.ts';

const minutes = 60_000;
const eventsFile = 'fact_listening_events_2024.csv';

/** One stack for all of these: they run in this order, each leaving a lake that agrees with the files. */
describe('the first run, on the real stack', function () {
  this.timeout(10 * minutes);
  let world: PipelineWorld;
  before(async function () {
    this.timeout(10 * minutes);
    world = await startPipelineWorld();
  });
  after(() => world?.stop());

  it('asks readers to come back before anything is published', async () => {
    const response = await fetch(`${world.apiUrl}/recommendations/1`);
    assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '5']);
  });

  it('loads every row once, even when two loads are started at once, one of them by the temporal CLI', async () => {
    await execa(world.stack.installed.temporal, [
      ...['workflow', 'start', '--address', world.stack.env['SEGUE_TEMPORAL_ADDRESS']!],
      ...['--task-queue', 'segue', '--type', 'initialDataLoad', '--workflow-id', 'initial-load'],
    ]);
    const other = await world.start('initialDataLoad', 'another-load', { refresh: false });
    const [first, second] = await Promise.all([
      world.client.workflow.getHandle('initial-load').result() as Promise<InitialDataLoadResult>,
      other.result() as Promise<InitialDataLoadResult>,
    ]);
    // 30 days of 2,000 events, 1,500 songs and 60 users, and the optional files.
    assert.equal(first.rows.inFiles, second.rows.inFiles);
    assert.ok(first.rows.inFiles > 61_560);
    assert.deepEqual(first.rows, { inFiles: first.rows.inFiles, bronze: first.rows.inFiles, quarantined: 0 });
    assert.deepEqual(first.ignoredFiles, []);
    assert.equal(first.refresh?.outcome, 'published');
    assert.match(await reconcileLake(world.lake, world.dataDir), /rows agree/);
  });

  it('serves recommendations that Spark made of it, with reasons, soon after they are published', async () => {
    const response = await until('recommendations are served', async () => {
      const answer = await fetch(`${world.apiUrl}/recommendations/1`);
      return answer.status === 200 && answer;
    });
    const body = (await response.json()) as { tier: string; items: { track_id: string; reason: { text: string } }[] };
    assert.equal(body.tier, 'personal');
    assert.equal(body.items.length, 20);
    assert.ok(body.items.every((item) => item.reason.text.length > 10));
    const events = await readFile(join(world.dataDir, eventsFile), 'utf8');
    const played = new Set(
      events.split('\n').flatMap((line) => (line.split(',')[1] === '1' ? [line.split(',')[2]] : [])),
    );
    assert.deepEqual(
      body.items.filter((item) => played.has(item.track_id)),
      [],
    );
  });

  it('shows a posted listen, and the recommendation served, to who watches the event stream', async () => {
    const closing = new AbortController();
    const stream = await fetch(`${world.apiUrl}/events/stream`, { signal: closing.signal });
    let text = '';
    void (async () => {
      for await (const chunk of stream.body!) text += Buffer.from(chunk).toString();
    })().catch(() => undefined);
    const post = (): Promise<Response> =>
      fetch(`${world.apiUrl}/ingest/listening-event`, {
        method: 'POST',
        headers: { authorization: `Bearer ${world.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ event_id: 'live-1', user_id: '1', track_id: '10001', event_type: 'like' }),
      });
    assert.equal((await post()).status, 202);
    await fetch(`${world.apiUrl}/recommendations/2`);
    await until('the listen is seen', () => text.includes('"event_id":"live-1"'));
    await until('the recommendation is seen', () => text.includes('event: recommendation'));
    closing.abort();
  });

  it('changes nothing when it is run again: the same tables, versions and snapshot, no Spark job', async () => {
    const before = await world.tables();
    const handle = await world.start('initialDataLoad', 'initial-load');
    const result = (await handle.result()) as InitialDataLoadResult;
    assert.deepEqual([...new Set(result.files.map((file) => file.outcome))], ['unchanged']);
    assert.deepEqual([result.uploadedBytes, result.refresh?.outcome], [0, 'unchanged']);
    assert.deepEqual(await world.tables(), before);
  });

  const wrongInputs: readonly {
    readonly title: string;
    readonly file: string;
    readonly change: (content: Buffer) => Buffer | undefined;
    readonly type: string;
    readonly message: RegExp;
  }[] = [
    {
      title: 'a required file that is missing',
      file: 'dim_songs.csv',
      change: () => undefined,
      type: 'LandingFileMissing',
      message: /dim_songs\.csv: required, but not in/,
    },
    {
      title: 'swapped columns',
      file: eventsFile,
      change: (content) => Buffer.from(content.toString().replace('event_id,user_id', 'user_id,event_id')),
      type: 'LandingFileHeader',
      message:
        /fact_listening_events_2024\.csv: columns are swapped\. Expected event_id,user_id,.* but found user_id,event_id/,
    },
    {
      title: 'an unknown column',
      file: 'dim_users.csv',
      change: (content) => Buffer.from(content.toString().replace('join_date', 'joined')),
      type: 'LandingFileHeader',
      message: /dim_users\.csv: missing column\(s\) join_date and unknown column\(s\) joined/,
    },
    {
      title: 'an empty file',
      file: 'dim_users.csv',
      change: () => Buffer.alloc(0),
      type: 'LandingFileEmpty',
      message: /dim_users\.csv is empty: expected the header/,
    },
    {
      title: 'a file that is not UTF-8',
      file: 'dim_songs.csv',
      change: (content) => Buffer.concat([content, Buffer.from('99999,Caf\xe9,a,b,,,,\n', 'latin1')]),
      type: 'LandingFileEncoding',
      message: /dim_songs\.csv: line 1502 is not UTF-8/,
    },
  ];
  for (const wrong of wrongInputs) {
    it(`refuses ${wrong.title} by name, and leaves the tables as they were`, async () => {
      const before = await world.tables();
      await withChangedFile(world, wrong.file, wrong.change, async () => {
        const handle = await world.start('initialDataLoad', 'initial-load');
        const failure = await failureOf(handle.result());
        assert.equal(failure.type, wrong.type);
        assert.match(failure.message, wrong.message);
      });
      assert.deepEqual(await world.tables(), before);
    });
  }

  it('exports the metrics of Temporal that the dashboard draws', async () => {
    const response = await fetch(`http://127.0.0.1:${world.stack.ports.workerMetrics}/metrics`);
    const exported = await response.text();
    const drawn = dashboardMetrics('temporal');
    assert.ok(drawn.length >= 3);
    // Runs and activities that ended well or failed are behind us: each metric has been counted at least once.
    for (const name of drawn) assert.match(exported, new RegExp(`^${name}\\b`, 'm'));
  });

  it('keeps bad rows in quarantine with file, line and reason, and loads the good ones', async () => {
    const path = join(world.dataDir, eventsFile);
    const bad = [
      'x1,,10001,like,2024-12-31T00:00:00Z',
      'x2,1,10001,danced,2024-12-31T00:00:00Z',
      'x3,1,10001,like,yesterday',
      'x4,1',
    ];
    await appendFile(path, `${bad.join('\n')}\nx5,1,10001,like,2024-12-31T00:00:00Z\n`);
    const handle = await world.start('initialDataLoad', 'initial-load', { refresh: false });
    const result = (await handle.result()) as InitialDataLoadResult;
    const events = result.files.find((file) => file.file === eventsFile)!;
    // 60,000 generated events and one more good one.
    assert.deepEqual([events.rows, events.bronze, events.quarantined], [60_005, 60_001, 4]);
    assert.match(await reconcileLake(world.lake, world.dataDir), /rows agree/);
    const refused = await readQuarantine(world.lake, 'fact_listening_events');
    assert.deepEqual(
      refused.map(({ line, raw }) => [line, raw]),
      bad.map((raw, index) => [60_002 + index, raw]),
    );
    assert.ok(refused.every(({ reason }) => reason.length > 0));
  });

  it('replaces just the rows of a file that was corrected, and empties its quarantine', async () => {
    const before = await world.tables();
    const path = join(world.dataDir, eventsFile);
    const lines = (await readFile(path, 'utf8')).split('\n');
    await writeFile(path, `${lines.slice(0, 60_001).join('\n')}\n`);
    const handle = await world.start('initialDataLoad', 'initial-load', { refresh: false });
    await handle.result();
    const after = await world.tables();
    assert.equal(after['bronze/fact_listening_events']!.rows, 60_000);
    assert.equal(after['quarantine/fact_listening_events']!.rows, 0);
    assert.deepEqual(after['bronze/dim_songs'], before['bronze/dim_songs']);
    assert.match(await reconcileLake(world.lake, world.dataDir), /rows agree/);
  });

  it('ends with the same tables when the worker is killed in the middle of the upload', async () => {
    await growEvents(world, 200_000);
    world.proxy.holdAfter(4 * 1024 * 1024);
    const handle = await world.start('initialDataLoad', 'initial-load', { refresh: false });
    await until('the upload hangs half way', () => world.proxy.held(), { timeoutMs: minutes });
    world.stack.kill('worker');
    world.proxy.release();
    const result = (await handle.result()) as InitialDataLoadResult;
    assert.equal(result.rows.quarantined, 0);
    assert.match(await reconcileLake(world.lake, world.dataDir), /rows agree/);
  });

  it('ends with the same tables when the worker is killed in the middle of the Spark job', async () => {
    await growEvents(world, 200_000);
    const handle = await world.start('initialDataLoad', 'initial-load', { refresh: false });
    await until('Spark works on the load', async () => (await sparkOf(handle))?.job === 'load_bronze', {
      timeoutMs: 2 * minutes,
    });
    world.stack.kill('worker');
    const result = (await handle.result()) as InitialDataLoadResult;
    assert.equal(result.rows.bronze, result.rows.inFiles);
    assert.match(await reconcileLake(world.lake, world.dataDir), /rows agree/);
  });

  it('stops Spark when a run is cancelled, and leaves the tables as they were', async () => {
    const before = await world.tables();
    const content = await readFile(join(world.dataDir, eventsFile));
    // Large enough that Spark needs several times as long as its progress needs to be seen.
    await growEvents(world, 1_500_000);
    const handle = await world.start('initialDataLoad', 'initial-load', { refresh: false });
    await until('Spark works on the load', async () => (await sparkOf(handle))?.job === 'load_bronze', {
      timeoutMs: 2 * minutes,
    });
    await handle.cancel();
    await assert.rejects(handle.result(), WorkflowFailedError);
    assert.equal((await handle.describe()).status.name, 'CANCELLED');
    await until('Spark is idle', async () => (await runningSparkJobs(world)) === 0);
    await writeFile(join(world.dataDir, eventsFile), content);
    assert.deepEqual(await world.tables(), before);
  });

  async function refresh(): Promise<RefreshResult> {
    const handle = await world.start('refreshRecommendations', 'refresh-recommendations');
    return (await handle.result()) as RefreshResult;
  }

  it('recommends to a listener of five events after a refresh, which writes one week for it, and the next finds nothing new', async () => {
    const lines = ['10001', '10002', '10003', '10004', '10005'].map(
      (track, index) => `newcomer-${index},newcomer,${track},complete_listen,2024-12-31T1${index}:00:00Z\n`,
    );
    await appendFile(join(world.dataDir, eventsFile), lines.join(''));
    const before = await served(world, 'newcomer');
    assert.equal(before.tier, 'trending');
    await (await world.start('initialDataLoad', 'initial-load', { refresh: false })).result();
    const refreshed = await refresh();
    assert.deepEqual([refreshed.outcome, refreshed.silver?.mode], ['published', 'weeks']);
    const events = refreshed.tables.find(({ table }) => table === 'silver/listening_events') as RefreshedTable;
    // What the tests before appended is of this week, too.
    assert.deepEqual(events.weeksWritten, ['2024-12-31']);

    const after = await until('the newcomer is known', async () => {
      const answer = await served(world, 'newcomer');
      return answer.model_version === refreshed.modelVersion && answer;
    });
    assert.deepEqual([after.tier, after.items.length], ['cold_start', 20]);
    const again = await refresh();
    assert.deepEqual([again.outcome, again.modelVersion], ['unchanged', refreshed.modelVersion]);
  });

  it('serves the model before again by the API, and the newer one by the temporal CLI', async () => {
    const { model_version: newer } = await served(world, '1');
    const listing = await fetch(`${world.apiUrl}/pipeline/models`);
    const { items } = (await listing.json()) as { items: readonly ModelItem[] };
    const older = items.find((item) => item.can_be_served && !item.is_served)!.model_version;
    const back = await fetch(`${world.apiUrl}/pipeline/rollback`, {
      method: 'POST',
      headers: { authorization: `Bearer ${world.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model_version: older }),
    });
    assert.equal(back.status, 200);
    await until('the former model is served', async () => (await served(world, '1')).model_version === older);
    // The CLI's way forward again, as docs/reference.md has it.
    await execa(world.stack.installed.temporal, [
      ...['workflow', 'execute-update-with-start', '--address', world.stack.env['SEGUE_TEMPORAL_ADDRESS']!],
      ...['--type', 'rollbackModel', '--workflow-id', 'rollback-model', '--task-queue', 'segue'],
      ...['--id-conflict-policy', 'UseExisting', '--update-name', 'rollBack'],
      ...['--update-input', JSON.stringify({ modelVersion: newer })],
    ]);
    await until('the newer one is', async () => (await served(world, '1')).model_version === newer);
  });

  it('forgets a user everywhere, with a receipt, and loading the files again does not bring them back', async () => {
    const before = await userRows(world.lake, '2');
    assert.ok(before['bronze/fact_listening_events']! > 0);
    const accepted = await fetch(`${world.apiUrl}/users/2`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${world.token}` },
    });
    assert.equal(accepted.status, 202);
    const { workflow_id: workflowId } = (await accepted.json()) as { workflow_id: string };
    const receipt = (await world.client.workflow.getHandle(workflowId).result()) as ForgetUserReceipt;
    assert.equal(receipt.rows['bronze/fact_listening_events'], before['bronze/fact_listening_events']);
    assert.ok(!JSON.stringify(receipt).includes('"2"'));
    assert.deepEqual(await userRows(world.lake, '2'), {});
    const listing = await fetch(`${world.apiUrl}/pipeline/models`);
    const { items } = (await listing.json()) as { items: readonly ModelItem[] };
    assert.ok(items.length > 1);
    // The snapshots of the others had lists of the user, and are gone.
    for (const item of items) assert.equal(item.can_be_served, item.is_served);
    await until('the API knows the user no more', async () => (await served(world, '2')).tier === 'trending');
    await growEvents(world, 10, '2');
    const again = await world.start('initialDataLoad', 'initial-load', { refresh: false });
    await again.result();
    assert.deepEqual(await userRows(world.lake, '2'), {});
    assert.match(await reconcileLake(world.lake, world.dataDir), /rows agree/);
  });

  it('goes on after Spark was killed in the middle of a job', async () => {
    await growEvents(world, 50_000);
    const handle = await world.start('initialDataLoad', 'initial-load', { refresh: false });
    await until('Spark works on the load', async () => (await sparkOf(handle))?.job === 'load_bronze', {
      timeoutMs: 2 * minutes,
    });
    world.stack.kill('spark');
    await handle.result();
    assert.match(await reconcileLake(world.lake, world.dataDir), /rows agree/);
  });
});

interface Served {
  readonly tier: string;
  readonly model_version: string;
  readonly items: readonly object[];
}

interface ModelItem {
  readonly model_version: string;
  readonly can_be_served: boolean;
  readonly is_served: boolean;
}

async function served(world: PipelineWorld, user: string): Promise<Served> {
  return (await (await fetch(`${world.apiUrl}/recommendations/${user}`)).json()) as Served;
}

/** What Spark does for a run, once it has told of tasks. */
async function sparkOf(handle: { query<Answer>(name: string): Promise<Answer> }): Promise<RunProgress['spark']> {
  const { spark } = await handle.query<RunProgress>('progress');
  return spark && spark.tasksTotal > 0 ? spark : undefined;
}

/** Appends listens with new ids, so that the file's content is one that was never loaded. */
async function growEvents(world: PipelineWorld, count: number, user = '1'): Promise<void> {
  const tag = Date.now();
  const lines = Array.from(
    { length: count },
    (_, index) => `grown-${tag}-${index},${user},10001,like,2024-12-31T12:00:00Z\n`,
  );
  await appendFile(join(world.dataDir, eventsFile), lines.join(''));
}

async function runningSparkJobs(world: PipelineWorld): Promise<number> {
  const api = `http://127.0.0.1:${world.stack.ports.sparkUi}/api/v1/applications`;
  const [application] = (await (await fetch(api)).json()) as { id: string }[];
  const jobs = (await (await fetch(`${api}/${application!.id}/jobs?status=running`)).json()) as unknown[];
  return jobs.length;
}

/** Changes or removes a landing file for the time of a story, and puts it back. */
async function withChangedFile(
  world: PipelineWorld,
  file: string,
  change: (content: Buffer) => Buffer | undefined,
  story: () => Promise<void>,
): Promise<void> {
  const path = join(world.dataDir, file);
  const kept = `${path}.kept`;
  const content = await readFile(path);
  await rename(path, kept);
  try {
    const changed = change(content);
    if (changed) await writeFile(path, changed);
    await story();
  } finally {
    await rm(path, { force: true });
    await rename(kept, path);
  }
}

/** The failure of our catalogue at the bottom of a failed run. */
async function failureOf(result: Promise<unknown>): Promise<ApplicationFailure> {
  const error: unknown = await result.then(
    () => assert.fail('the run did not fail'),
    (reason: unknown) => reason,
  );
  let cause = error;
  while (cause instanceof Error && !(cause instanceof ApplicationFailure)) cause = cause.cause;
  assert.ok(cause instanceof ApplicationFailure, String(error));
  return cause;
}
