import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { checkCsv } from '../../activities/csv-check.ts';
import { EventRowCounter } from '../../activities/event-rows.ts';
import { timeRange } from '../../contracts/acceptance/time.ts';
import { parseColumnMap, readListenBrainz, readMappedCsv } from '../../generators/importers/formats.ts';
import { importListens, type ImportReport } from '../../generators/importers/import.ts';
import { tidy, type SourceListen, type SourceRecord } from '../../generators/importers/source.ts';
import { OptionError } from '../../generators/options.ts';
import { eventType, repeated, settings, text, time } from './hostile.ts';
import { earliest, instant, isBlank, isEventType, now, rangeProblem, textProblem } from './naive.ts';

const range = timeRange(earliest, now);
const epoch = fc.constantFrom(
  '0',
  '1700000000',
  '1700000000000',
  '17000000000',
  '170000000',
  '-1',
  '1e9',
  '1738371601',
);
const anyTime = fc.oneof({ weight: 4, arbitrary: time }, { weight: 1, arbitrary: epoch });
const listen: fc.Arbitrary<SourceListen> = fc.record({
  user: text,
  title: text,
  artist: text,
  time: fc.oneof({ weight: 5, arbitrary: anyTime }, { weight: 1, arbitrary: fc.constantFrom(0, 1.7e9, 1.7e12, 1.5) }),
  trackId: fc.option(text, { nil: undefined }),
  artistId: fc.option(text, { nil: undefined }),
  genre: fc.option(text, { nil: undefined }),
  eventType: fc.option(eventType, { nil: undefined }),
});

function msOf(given: string | number): number | undefined {
  const said = String(given);
  if (/^[0-9]{9,10}$/.test(said)) return Number(said) * 1_000;
  return /^[0-9]{12,13}$/.test(said) ? Number(said) : instant(said);
}

/** Whether a listen may be taken; composing may make a text longer than it came. */
function isGood(value: SourceListen): boolean {
  const isText = (given: string, most: number): boolean =>
    !textProblem(given, most) && Array.from(given.normalize('NFC').trim()).length <= most;
  const isOptional = (given: string | undefined, most: number): boolean =>
    given === undefined || isBlank(given) || isText(given, most);
  const ms = msOf(value.time);
  return (
    isText(value.user, 200) &&
    isText(value.title, 1_000) &&
    isText(value.artist, 1_000) &&
    isOptional(value.trackId, 200) &&
    isOptional(value.artistId, 200) &&
    isOptional(value.genre, 1_000) &&
    ['', 'complete_listen', 'like', 'skip'].includes(value.eventType ?? '') &&
    ms !== undefined &&
    rangeProblem(ms) === undefined
  );
}

describe('the door of importers', function () {
  this.timeout(120_000);
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'segue-test-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** Imports a file, holds the counts and the written files to the definition, and removes them. */
  async function importFile(
    content: string,
    read: (path: string) => AsyncIterable<SourceRecord>,
  ): Promise<ImportReport> {
    const path = join(folder, 'export');
    const out = join(folder, 'out');
    await writeFile(path, content);
    try {
      const report = await importListens(path, read(path), { out, range });
      const skipped = Object.values(report.skipped).reduce((sum, count) => sum + count, 0);
      assert.equal(report.taken + skipped, report.records);
      const counter = new EventRowCounter(range);
      const events = join(out, 'fact_listening_events_imported.csv');
      const onChunk = (chunk: Buffer): void => counter.add(chunk);
      const { rows, firstBadLine } = await checkCsv(events, { multiLine: false, onChunk });
      assert.deepEqual([rows, firstBadLine, counter.end().rows], [report.taken, undefined, 0]);
      const songs = await checkCsv(join(out, 'dim_songs.csv'), { multiLine: true });
      assert.deepEqual([songs.rows, songs.firstBadLine], [report.tracks, undefined]);
      assert.ok(!(await readFile(join(out, 'dim_songs.csv'), 'utf8')).includes('\r'));
      return report;
    } finally {
      await rm(out, { recursive: true, force: true });
    }
  }

  it('takes exactly the listens that keep the definition, and says why it leaves another', () => {
    let taken = 0;
    fc.assert(
      fc.property(listen, (value) => {
        const found = tidy(value, range);
        assert.equal('skip' in found, !isGood(value), JSON.stringify(found));
        if ('skip' in found) return assert.match(found.skip, /^[a-z]+(_[a-z]+)+$/);
        const { user, trackId, title, artist, artistId, genre, timestamp } = found;
        for (const id of [user, trackId || 'none', artistId || 'none']) assert.equal(textProblem(id, 200), undefined);
        for (const name of [title, artist, genre || 'none']) assert.equal(textProblem(name, 1_000), undefined);
        assert.equal(instant(timestamp), msOf(value.time));
        assert.ok(isEventType(found.eventType));
        taken++;
      }),
      { ...settings, numRuns: 3_000 },
    );
    assert.ok(taken >= 100, `${taken} taken`);
  });

  it('counts every record of a CSV, or refuses the file in one line that names where', async () => {
    const quoted = (said: string): string =>
      /[",\n\r]/.test(said) ? `"${said.replaceAll('"', said.length % 2 ? '""' : '\\"')}"` : said;
    const line = fc.tuple(listen, fc.nat(60)).map(([value, odd]) => {
      const { user, title, artist, eventType: type = '', genre = '' } = value;
      const fields = [user, title, artist, String(value.time), type, genre].map(quoted);
      if (odd === 0) fields.push('more');
      return odd === 1 ? `${fields.join(',')}"` : odd === 2 ? `"${fields.join(',')}` : fields.join(',');
    });
    const map = parseColumnMap('user_id=who,track=song,artist=by,timestamp=at,event_type=how,genre=what');
    const counts = { records: 0, taken: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(repeated(line, 8), fc.constantFrom('\n', '\r\n'), async (lines, end) => {
        const good = `anna,T,A,1700000000,,`;
        const content = ['who,song,by,at,how,what', good, ...lines].join(end);
        try {
          const { records, taken } = await importFile(content, (path) => readMappedCsv(path, map));
          counts.records += records;
          counts.taken += taken;
        } catch (error) {
          assert.ok(error instanceof OptionError, String(error));
          assert.match(error.message, /export: line \d+: a quote opens there[^\n]*$/);
          counts.refused++;
        }
      }),
      { ...settings, numRuns: 500 },
    );
    assert.ok(counts.records >= 1_000 && counts.taken >= 100 && counts.refused >= 10, JSON.stringify(counts));
  });

  it('counts every line of JSON listens, whatever stands in it', async () => {
    const line = fc.oneof(
      {
        weight: 8,
        arbitrary: listen.map(({ user, title, artist, time: listened_at, trackId }) =>
          JSON.stringify({
            user_name: user,
            listened_at,
            track_metadata: { track_name: title, artist_name: artist, mbid_mapping: { recording_mbid: trackId } },
          }),
        ),
      },
      { weight: 1, arbitrary: fc.constantFrom('{', '[]', '7', 'null', '{"track_metadata":7}', '"\\ud800"') },
    );
    const good = JSON.stringify({
      user_name: 'anna',
      listened_at: 1_700_000_000,
      track_metadata: { artist_name: 'A', track_name: 'T' },
    });
    let records = 0;
    await fc.assert(
      fc.asyncProperty(repeated(line, 8), async (lines) => {
        const report = await importFile([good, ...lines].join('\n'), readListenBrainz);
        assert.equal(report.records, lines.length + 1);
        records += report.records;
      }),
      { ...settings, numRuns: 400 },
    );
    assert.ok(records >= 1_000, `${records} records`);
  });
});
