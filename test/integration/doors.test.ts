import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { Kafka, logLevel } from 'kafkajs';
import pLimit from 'p-limit';
import { TokenFile } from '../../api/listenbrainz/tokens.ts';
import { streamEventsId } from '../../contracts/ids.ts';
import { parseTime } from '../../contracts/acceptance/time.ts';
import { lake } from '../../contracts/lake.ts';
import { progressQueryName } from '../../contracts/progress.ts';
import type { InitialDataLoadResult, RefreshResult } from '../../contracts/runs.ts';
import type { StreamProgress } from '../../contracts/streams.ts';
import type { WeeklyTrendsResult } from '../../contracts/weekly.ts';
import { headerOf } from '../../generators/seed.ts';
import { acceptedListens, refusedListens, type FaultyListen, type SentListen } from '../support/hostile-listens.ts';
import { describeTables, reconcileLake, type TableDigest } from '../support/lake.ts';
import { startPipelineWorld, type PipelineWorld } from '../support/pipeline-world.ts';
import { until } from '../support/wait.ts';

const minutes = 60_000;
const perDoor = 1_000;
const seed = Number(process.env['SEGUE_TEST_SEED'] ?? 20_261_130);
const atOnce = pLimit(16);
const topic = 'user_listening_history';
/** Rows that say when a run was, by their nature. */
const ofRuns = new Set(['gold/model_evaluations', 'gold/table_checks', 'silver/refused_events']);
const derived = lake.tables
  .filter(({ layer }) => layer !== 'bronze')
  .map(({ layer, name }) => `${layer}/${name}`)
  .filter((name) => !ofRuns.has(name));

type Tables = Readonly<Record<string, TableDigest | null>>;

/** One stack; hostile listens come in by every door, and no single one of them decides for everybody. */
describe(`the doors of the pipeline (seed ${seed})`, function () {
  this.timeout(10 * minutes);
  let world: PipelineWorld;
  let tablesBefore: Tables;
  let lastWeek: unknown;
  let lists: ReadonlyMap<string, readonly string[]>;

  before(async () => {
    const overrides = { SEGUE_MAX_REFUSED_SHARE: '1', SEGUE_API_SCROBBLE_RATE_LIMIT: '100000' };
    world = await startPipelineWorld({ overrides });
    const loaded = (await (await world.start('initialDataLoad', 'load-1')).result()) as InitialDataLoadResult;
    assert.equal(loaded.refresh?.outcome, 'published');
    await world.start('streamEvents', streamEventsId);
    tablesBefore = await describeTables(world.lake, derived);
    lists = await firstLists(world);
    lastWeek = (await json('/trending')).body['week_end'];
  });
  after(() => world?.stop());

  it('refuses 1,000 listens with one fault each at every live door, with a reason, and takes none', async () => {
    const now = new Date();
    const posted = await answersOf(refusedListens(seed, perDoor, now, { lineBreaks: true }), ({ listen }) =>
      post('/ingest/listening-event', listen),
    );
    assert.deepEqual(posted, { '400': perDoor });
    const token = await listenerToken('hostile');
    const scrobbled = await answersOf(refusedListens(seed + 1, perDoor, now, { lineBreaks: true }), (faulty) =>
      send('/1/submit-listens', { Authorization: `Token ${token}` }, refusedScrobble(faulty, now)),
    );
    assert.deepEqual(scrobbled, { '400': perDoor });
    const said = await answersOf(refusedListens(seed + 2, perDoor, now, { lineBreaks: true }), (faulty) =>
      post('/feedback', refusedFeedback(faulty)),
    );
    assert.deepEqual(said, { '400': perDoor });
    await produce(refusedListens(seed + 3, perDoor, now, { lineBreaks: true }).map(({ listen }) => listen));
    await until('the stream has refused them', async () => (await ofStream()).refused === perDoor, {
      timeoutMs: 4 * minutes,
    });
    assert.equal((await ofStream()).rows, 0);
  });

  it('sets 1,000 such rows of a landing file and of a weekly file aside, each with its line and reason', async () => {
    const now = new Date();
    const csv = { lineBreaks: false };
    await writeCsv(
      'fact_listening_events_hostile.csv',
      refusedListens(seed + 4, perDoor, now, csv).map(({ listen }) => listen),
    );
    await mkdir(join(world.dataDir, 'weekly_trends'), { recursive: true });
    await writeCsv(
      'weekly_trends/trends_2025-01-07.csv',
      refusedListens(seed + 5, perDoor, now, csv).map(({ listen }) => listen),
    );
    const load = await world.start('initialDataLoad', 'load-2', { refresh: false });
    const loaded = (await load.result()) as InitialDataLoadResult;
    assert.equal(loaded.rows.quarantined, perDoor);
    const weekly = await world.start('weeklyTrendsIngestion', 'weekly-1', { refresh: false });
    const { rows } = (await weekly.result()) as WeeklyTrendsResult;
    assert.deepEqual(rows, { inFiles: perDoor, bronze: 0, quarantined: perDoor });
    assert.match(await reconcileLake(world.lake, world.dataDir), /rows agree/);
  });

  it('imports the one good listen of an export whose other 1,000 have faults, and counts each of these', async () => {
    const now = new Date();
    const good = acceptedListens(seed, 1, 'ada', now)[0]!;
    const listens = [good, ...refusedListens(seed + 6, perDoor, now, { lineBreaks: false }).map(inExport)];
    const [source, out] = [join(world.dataDir, '..', 'export.csv'), join(world.dataDir, '..', 'imported')];
    await writeFile(source, ['who,song,by,kind,at', ...listens.map(exportLine), ''].join('\n'));
    const map = 'user_id=who,track=song,artist=by,event_type=kind,timestamp=at';
    await execa('node', [
      'stack/bootstrap.mjs',
      'generators/cli.ts',
      'import',
      'csv',
      source,
      '--map',
      map,
      '--out',
      out,
    ]);
    const report = JSON.parse(await readFile(join(out, 'import_report.json'), 'utf8')) as {
      records: number;
      taken: number;
      skipped: Record<string, number>;
    };
    const skipped = Object.values(report.skipped).reduce((sum, count) => sum + count, 0);
    assert.deepEqual([report.records, report.taken, skipped], [perDoor + 1, 1, perDoor]);
  });

  it('publishes after them, and every list, chart and table is the same, byte for byte', async () => {
    const refreshed = await refresh('refresh-1');
    assert.notEqual(refreshed.outcome, 'refused');
    assert.deepEqual(digestsOf(await describeTables(world.lake, derived)), digestsOf(tablesBefore));
  });

  it('takes 1,000 odd listens of one user by every door, once each', async () => {
    const now = new Date();
    const user = 'everywhere';
    for (let at = 0; at < perDoor; at += 500) {
      const { status } = await post(
        '/ingest/listening-event',
        acceptedListens(seed + 7, perDoor, user, now).slice(at, at + 500),
      );
      assert.equal(status, 202);
    }
    await produce(acceptedListens(seed + 8, perDoor, user, now));
    await writeCsv('fact_listening_events_odd.csv', acceptedListens(seed + 9, perDoor, user, now));
    await writeCsv('weekly_trends/trends_2025-01-14.csv', acceptedListens(seed + 10, perDoor, user, now));
    const token = await listenerToken(user);
    const scrobbles = acceptedListens(seed + 11, perDoor, user, now).map(scrobbleOf);
    const body = { listen_type: 'import', payload: scrobbles };
    assert.equal((await send('/1/submit-listens', { Authorization: `Token ${token}` }, body)).status, 200);
    await until('the stream has them', async () => (await ofStream()).rows === 3 * perDoor, { timeoutMs: 4 * minutes });
    const load = (await (
      await world.start('initialDataLoad', 'load-3', { refresh: false })
    ).result()) as InitialDataLoadResult;
    assert.equal(load.files.find(({ file }) => file === 'fact_listening_events_odd.csv')?.bronze, perDoor);
    const weekly = await (await world.start('weeklyTrendsIngestion', 'weekly-2', { refresh: false })).result();
    assert.deepEqual((weekly as WeeklyTrendsResult).rows, { inFiles: perDoor, bronze: perDoor, quarantined: 0 });
  });

  it('moves no week, no chart’s date and no gate by them, and leaves the others’ lists', async () => {
    const refreshed = await refresh('refresh-2');
    assert.equal(refreshed.outcome, 'published');
    assert.deepEqual((await json('/trending')).body['week_end'], lastWeek);
    await until('the new model is served', async () => {
      const { body } = await json('/recommendations/1');
      return body['model_version'] === refreshed.modelVersion;
    });
    const now = await firstLists(world);
    const kept = [...lists].map(
      ([user, tracks]) => tracks.filter((track) => now.get(user)!.includes(track)).length / tracks.length,
    );
    const share = kept.reduce((sum, each) => sum + each, 0) / kept.length;
    assert.ok(share >= 0.9, `the others keep ${(share * 100).toFixed(1)} % of their first twenty`);
    const own = await json('/recommendations/everywhere');
    assert.equal(own.status, 200);
  });

  async function refresh(workflowId: string): Promise<RefreshResult> {
    return (await (await world.start('refreshRecommendations', workflowId)).result()) as RefreshResult;
  }

  function post(path: string, body: unknown): Promise<{ status: number }> {
    return send(path, { Authorization: `Bearer ${world.token}` }, body);
  }

  async function send(path: string, headers: Record<string, string>, body: unknown): Promise<{ status: number }> {
    const response = await fetch(`${world.apiUrl}${path}`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    await response.arrayBuffer();
    return response;
  }

  async function json(path: string): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(`${world.apiUrl}${path}`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  async function firstLists({ apiUrl }: PipelineWorld): Promise<ReadonlyMap<string, readonly string[]>> {
    const users = Array.from({ length: 60 }, (_, index) => String(index + 1));
    const list = async (user: string): Promise<readonly [string, readonly string[]]> => {
      const found = await until('the first model is served', async () => {
        const response = await fetch(`${apiUrl}/recommendations/${user}?limit=20`);
        return response.status === 200 && ((await response.json()) as { items: { track_id: string }[] });
      });
      return [user, found.items.map((item) => item.track_id)];
    };
    return new Map(await Promise.all(users.map((user) => atOnce(() => list(user)))));
  }

  function listenerToken(user: string): Promise<string> {
    return new TokenFile(join(world.stack.env['SEGUE_SECRETS_DIR']!, 'listener_tokens.json')).create(user, new Date());
  }

  async function produce(listens: readonly SentListen[]): Promise<void> {
    const kafka = new Kafka({ brokers: [world.stack.env['SEGUE_KAFKA_BROKERS']!], logLevel: logLevel.NOTHING });
    const producer = kafka.producer();
    await producer.connect();
    const received_at = new Date().toISOString();
    const messages = listens.map((listen) => ({
      key: listen.user_id,
      value: JSON.stringify({ schema_version: 1, ...listen, received_at }),
    }));
    await producer.send({ topic, messages });
    await producer.disconnect();
  }

  async function ofStream(): Promise<{ rows: number; refused: number }> {
    try {
      const handle = world.client.workflow.getHandle(streamEventsId);
      const { topics } = await handle.query<StreamProgress>(progressQueryName);
      return topics.find((each) => each.topic === topic) ?? { rows: 0, refused: 0 };
    } catch {
      // No worker answers yet.
      return { rows: 0, refused: 0 };
    }
  }

  function writeCsv(file: string, listens: readonly SentListen[]): Promise<void> {
    const lines = listens.map(({ event_id, user_id, track_id, event_type, timestamp }) =>
      [event_id, user_id, track_id, event_type, timestamp].map(quoted).join(','),
    );
    return writeFile(join(world.dataDir, file), `${headerOf('fact_listening_events')}${lines.join('\n')}\n`);
  }
});

function digestsOf(tables: Tables): Readonly<Record<string, string | null>> {
  return Object.fromEntries(Object.entries(tables).map(([name, table]) => [name, table && table.digest]));
}

async function answersOf(
  listens: readonly FaultyListen[],
  ask: (listen: FaultyListen) => Promise<{ status: number }>,
): Promise<Readonly<Record<string, number>>> {
  const answers = await Promise.all(listens.map((listen) => atOnce(() => ask(listen))));
  const counts: Record<string, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

function quoted(text: string): string {
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A line of an export that names no event: its third column is the artist. */
function exportLine({ user_id, track_id, event_id, event_type, timestamp }: SentListen): string {
  return [user_id, track_id, event_id, event_type, timestamp].map(quoted).join(',');
}

/** The same fault in an export, where digits alone are a time and nothing is a complete listen. */
function inExport({ listen, field, value }: FaultyListen): SentListen {
  if (field === 'timestamp' && /^\d+$/.test(value)) return { ...listen, timestamp: `${value}?` };
  return field === 'event_type' && value === '' ? { ...listen, event_type: 'none' } : listen;
}

/** A scrobble with the same fault: of an id in a name, of the time or the type in listened_at. */
function refusedScrobble({ field, value }: FaultyListen, now: Date): unknown {
  const good = Math.floor(now.getTime() / 1000);
  const outOfRange = parseTime(value);
  const wrongTime = outOfRange === undefined ? `${value}?` : outOfRange / 1000;
  const names = {
    artist_name: field === 'user_id' || field === 'event_id' ? value : 'Nova',
    track_name: field === 'track_id' ? value : 'River',
  };
  const listened_at = field === 'timestamp' || field === 'event_type' ? wrongTime : good;
  return { listen_type: 'single', payload: [{ listened_at, track_metadata: names }] };
}

/** A scrobble of a track of its own: of two that agree in user, time and track, ListenBrainz's API takes one. */
function scrobbleOf({ track_id, timestamp }: SentListen, place: number): unknown {
  const listened_at = Math.max(Math.floor(parseTime(timestamp)! / 1000), 1_033_430_400);
  return { listened_at, track_metadata: { artist_name: 'Nova', track_name: `${track_id} ${place}` } };
}

/** Feedback with the same fault; its `until` may lie anywhere, so a time that is well formed is no fault there. */
function refusedFeedback({ listen, field, value }: FaultyListen): unknown {
  const { user_id, track_id } = listen;
  if (field === 'event_id') return { user_id, track_id: value, feedback: 'hide' };
  if (field === 'event_type') return { user_id, track_id, feedback: value };
  if (field !== 'timestamp') return { user_id, track_id, feedback: 'hide' };
  return parseTime(value) === undefined
    ? { user_id, track_id, feedback: 'hide', until: value }
    : { user_id, track_id, feedback: value };
}
