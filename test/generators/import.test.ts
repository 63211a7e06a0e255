import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { rules } from '../../contracts/acceptance/rules.ts';
import { timeRange } from '../../contracts/acceptance/time.ts';
import { parseColumnMap, readLastfm1k, readListenBrainz, readMappedCsv } from '../../generators/importers/formats.ts';
import { importListens, type ImportReport } from '../../generators/importers/import.ts';
import { SeenHashes } from '../../generators/importers/seen.ts';
import type { SourceRecord } from '../../generators/importers/source.ts';
import { defaultSeedOptions } from '../../generators/options.ts';
import { generateSeed } from '../../generators/seed.ts';

/** What the importers would take at the beginning of 2025. */
const range = timeRange(rules.time.earliest, new Date('2025-01-01T00:00:00Z'));

type Row = Readonly<Record<string, string>>;

describe('the importers', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'segue-test-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function run(
    content: string | Buffer,
    read: (path: string) => AsyncIterable<SourceRecord>,
    name = 'export',
  ): Promise<{ report: ImportReport; events: Row[]; songs: Row[]; users: Row[] }> {
    const path = join(folder, name);
    await writeFile(path, content);
    const out = join(folder, 'out');
    const report = await importListens(path, read(path), { out, range });
    const rows = async (file: string): Promise<Row[]> =>
      parse<Row>(await readFile(join(out, file), 'utf8'), { columns: true });
    return {
      report,
      events: await rows('fact_listening_events_imported.csv'),
      songs: await rows('dim_songs.csv'),
      users: await rows('dim_users.csv'),
    };
  }

  const lastfm = (...rows: readonly (readonly string[])[]): string => rows.map((row) => `${row.join('\t')}\n`).join('');
  const oneListen = lastfm(['u', '2009-05-04T23:08:57Z', '', 'A', '', 'T']);

  it('take Last.fm-1K: titles with quotes and CJK as they are, missing ids made of the names', async () => {
    const { report, events, songs, users } = await run(
      lastfm(
        ['user_1', '2009-05-04T23:08:57Z', 'a-1', '坂本龍一', 't-1', 'Composition "0919" (Live, 2009)'],
        ['user_1', '2009-05-04T23:01:00Z', '', 'Émilie', '', 'Ça va?'],
        ['user_2', '2009-05-04T23:02:00Z', '', 'ÉMILIE', '', 'ça VA?'],
      ),
      readLastfm1k,
    );
    assert.deepEqual([report.taken, report.tracks, report.users, report.skipped], [3, 2, 2, {}]);
    assert.deepEqual(
      songs.map((song) => [song['title'], song['artist_name']]),
      [
        ['Composition "0919" (Live, 2009)', '坂本龍一'],
        ['Ça va?', 'Émilie'],
      ],
    );
    assert.deepEqual([songs[0]!['track_id'], songs[0]!['artist_id']], ['t-1', 'a-1']);
    assert.equal(events[1]!['track_id'], events[2]!['track_id']);
    assert.deepEqual(
      users.map((user) => [user['user_id'], user['join_date']]),
      [
        ['user_1', '2009-05-04'],
        ['user_2', '2009-05-04'],
      ],
    );
  });

  it('say what they skipped and why', async () => {
    const { report } = await run(
      `\ufeff${lastfm(
        ['u', '2009-05-04T23:08:57Z', '', 'A', '', 'T'],
        ['u', '2009-05-04T23:08:57Z', '', 'A', '', 'T'],
        ['', '2009-05-04T23:08:57Z', '', 'A', '', 'T'],
        ['u', 'long ago', '', 'A', '', 'T'],
        ['u', '1970-01-01T00:00:00Z', '', 'A', '', 'T'],
        ['u', '2025-01-01T01:00:01Z', '', 'A', '', 'T'],
        ['u', '2009-05-04T23:08:57 BST', '', 'A', '', 'T'],
        ['u', '0', '', 'A', '', 'T'],
        ['u', '', '', 'A', '', 'T'],
        ['u', '2009-05-04T23:08:57Z', '', ' ', '', 'T'],
        ['u', '2009-05-04T23:08:57Z', '', 'A', '', ''],
        ['u', '2009-05-04T23:08:57Z', '', 'A', '', 'one\u2028line'],
        ['u', '2009-05-04T23:08:57Z', '', 'A\u0085', '', 'T'],
        ['u', '2009-05-04T23:08:57Z', '', 'A', 't\u0000', 'T'],
        ['u', '2009-05-04T23:08:57Z', '', 'A', '', 'x'.repeat(1_001)],
        ['u'.repeat(201), '2009-05-04T23:08:57Z', '', 'A', '', 'T'],
        ['u', 'too', 'few'],
      )}\n`,
      readLastfm1k,
    );
    assert.deepEqual(report.skipped, {
      repeated_listen: 1,
      missing_user_id: 1,
      missing_timestamp: 1,
      bad_timestamp: 3,
      too_early_timestamp: 1,
      too_late_timestamp: 1,
      missing_artist_name: 1,
      missing_title: 1,
      control_character_title: 1,
      control_character_artist_name: 1,
      control_character_track_id: 1,
      too_long_title: 1,
      too_long_user_id: 1,
      wrong_column_count: 1,
    });
    assert.deepEqual([report.records, report.taken], [17, 1]);
    assert.deepEqual(JSON.parse(await readFile(join(folder, 'out', 'import_report.json'), 'utf8')), report);
  });

  it('take two listens of one track at different times for two', async () => {
    const { events } = await run(
      lastfm(['u', '2009-05-04T23:08:57Z', '', 'A', '', 'T'], ['u', '2009-05-04T23:12:57Z', '', 'A', '', 'T']),
      readLastfm1k,
    );
    assert.equal(new Set(events.map((event) => event['event_id'])).size, 2);
  });

  it('read CRLF and gzip, and split no line at a line separator', async () => {
    const content =
      'u\t2009-05-04T23:08:57Z\t\tA\t\tone\r\nu\t2009-05-04T23:09:57Z\t\tA\t\ttwo\r\nu\t\u2028\t\tA\t\tthree\r\n';
    const { songs, report } = await run(gzipSync(content), readLastfm1k, 'export.tsv.gz');
    assert.equal(report.records, 3);
    assert.deepEqual(
      songs.map((song) => song['title']),
      ['one', 'two'],
    );
  });

  it('take ListenBrainz listens, with mapped ids before submitted ones', async () => {
    const listen = {
      user_name: 'rob',
      listened_at: 1_700_000_000,
      track_metadata: {
        artist_name: 'Portishead',
        track_name: 'Glory Box',
        additional_info: { recording_mbid: 'submitted', duration_ms: 300_000 },
        mbid_mapping: { recording_mbid: 'mapped', artist_mbids: ['artist'] },
      },
    };
    const { report, events, songs } = await run(
      `${JSON.stringify(listen)}\n{"broken\n\n{"track_metadata":{}}\n`,
      readListenBrainz,
    );
    assert.deepEqual(report.skipped, { not_json: 1, missing_user_id: 1 });
    // 1,700,000,000 s after 1970.
    assert.deepEqual([events[0]!['user_id'], events[0]!['timestamp']], ['rob', '2023-11-14T22:13:20Z']);
    assert.deepEqual(
      [songs[0]!['track_id'], songs[0]!['artist_id'], songs[0]!['duration_ms']],
      ['mapped', 'artist', '300000'],
    );
  });

  it('take any CSV by a column map, with quotes, line breaks and a byte order mark', async () => {
    const map = parseColumnMap('user_id=who,track=song,artist=by,timestamp=when,event_type=how');
    const csv =
      '\ufeffwhen,who,song,by,how\r\n2024-02-29 12:00:00,7,"Say ""x"", y",A  B,like\r\n2024-02-29T12:00:00+02:00,7,Z,C,\r\n2024-02-29,7,Z,C,danced\r\n' +
      '2024-02-29 12:00:00,7,Z,"A\r\nB",like\r\n2024-02-29 12:00:00,7,Z\r\n';
    const { report, events, songs } = await run(csv, (path) => readMappedCsv(path, map));
    assert.deepEqual(report.skipped, {
      unknown_event_type: 1,
      control_character_artist_name: 1,
      wrong_column_count: 1,
    });
    assert.deepEqual(
      events.map((event) => [event['event_type'], event['timestamp']]),
      [
        ['like', '2024-02-29T12:00:00Z'],
        ['complete_listen', '2024-02-29T10:00:00Z'],
      ],
    );
    assert.deepEqual([songs[0]!['title'], songs[0]!['artist_name']], ['Say "x", y', 'A B']);
  });

  it('refuse a column map that cannot work, by name', async () => {
    assert.throws(() => parseColumnMap('user_id=u,track=t'), /--map lacks artist, timestamp/);
    assert.throws(() => parseColumnMap('user_id=u,colour=c'), /colour=c is not FIELD=COLUMN/);
    const map = parseColumnMap('user_id=who,track=song,artist=by,timestamp=when');
    await assert.rejects(
      run('a,b\n1,2\n', (path) => readMappedCsv(path, map)),
      /has no column who, song, by, when/,
    );
  });

  describe('of a CSV with doubtful quotes or bytes', () => {
    const map = parseColumnMap('user_id=who,track=song,artist=artist,timestamp=at');
    const header = 'who,artist,song,at\n';
    const importCsv = (content: string | Buffer, encoding?: string) =>
      run(content, (path) => readMappedCsv(path, map, encoding));
    const titles = async (content: string | Buffer, encoding?: string) =>
      (await importCsv(content, encoding)).songs.map((song) => song['title']);

    it('take quotes that are escaped by backslashes for what MySQL means by them', async () => {
      const rows = [
        String.raw`ada,Nova,"The \"Blue\" Hour",1736226000`,
        String.raw`ada,Nova,"Say \"Hi\", Mara",1736226300`,
        String.raw`ada,Nova,"End \"",1736226600`,
        'ada,Nova,"7"" single",1736226900',
        'ada,Nova,12" version,1736227200',
      ];
      const later = timeRange(rules.time.earliest, new Date('2025-02-01T00:00:00Z'));
      const path = join(folder, 'export');
      await writeFile(path, header + rows.join('\n'));
      const report = await importListens(path, readMappedCsv(path, map), { out: join(folder, 'out'), range: later });
      assert.deepEqual([report.taken, report.skipped], [5, {}]);
      const songs = parse<Row>(await readFile(join(folder, 'out', 'dim_songs.csv'), 'utf8'), { columns: true });
      const found = songs.map((song) => song['title']);
      assert.deepEqual(found, ['The "Blue" Hour', 'Say "Hi", Mara', 'End "', '7" single', '12" version']);
    });

    it('refuse one whose quotes do not close, in one line that names where', async () => {
      const good = 'ada,Nova,Plain,1700000000\n';
      const bad: readonly (readonly [string, number])[] = [
        [`${header}${good}ada,Nova,"Never,1700000300\n${good}`, 3],
        [`${header}${good}\nada,Nova,"Wrong" x,1700000300\n`, 4],
        [`${header}ada,Nova,"Takes in\n${good}ada,Nova,"a row",1700000600\n`, 2],
        [`${header}ada,Nova,"Takes in\nanother,1,2",x,1700000600\n`, 2],
        [`${header}ada,Nova,"Long ${`${'x'.repeat(99)}\n`.repeat(700)}",1700000600\n`, 2],
      ];
      for (const [content, line] of bad) {
        await assert.rejects(importCsv(content), (error: Error) => {
          assert.equal(error.name, 'OptionError');
          assert.match(error.message, new RegExp(`^.*export: line ${line}: a quote opens there[^\n]*$`));
          return true;
        });
        assert.deepEqual(await readdir(join(folder, 'out')), []);
      }
    });

    it('refuse bytes that are not of its encoding, with the first such line, and take an encoding', async () => {
      const content = Buffer.from(`${header}ada,Nova,Plain,1700000000\nada,Nóva,Rêver,1700000300\n`, 'latin1');
      await assert.rejects(importCsv(content), /export: line 3 is not UTF-8 text: .*--encoding windows-1252.*iconv/);
      assert.deepEqual(await titles(content, 'windows-1252'), ['Plain', 'Rêver']);
      await assert.rejects(importCsv(content, 'klingon'), /--encoding: klingon is not known/);
      await assert.rejects(importCsv(content.subarray(0, -15)), /line 3 is not UTF-8/);
    });

    it('read UTF-16 with a byte order mark, lines that end in a return alone, and characters between two reads', async () => {
      const text = `${header}ada,Nova,Rêver,1700000000\n`;
      assert.deepEqual(await titles(Buffer.from(`\ufeff${text}`, 'utf16le')), ['Rêver']);
      assert.deepEqual(await titles(text.replaceAll('\n', '\r')), ['Rêver']);
      // Reads of 64 KiB end at every byte of some line.
      const rows = Array.from({ length: 9_000 }, (_, row) => `ada,Nova,é坂🎵 ${row},${1_700_000_000 + row}`);
      const { report } = await importCsv(`${header}${rows.join('\r\n')}\r\n`);
      assert.deepEqual([report.records, report.taken, report.tracks], [9_000, 9_000, 9_000]);
    });

    it('read nothing from columns that were not mapped, and nothing from one of two of a name', async () => {
      const { songs } = await importCsv(`,${header}0,ada,Nova,River,1700000000\n`);
      assert.deepEqual([songs[0]!['genre'], songs[0]!['duration_ms']], ['', '']);
      await assert.rejects(importCsv('who,artist,song,at,song\n1,2,3,4,5\n'), /two columns are named song/);
    });
  });

  it('leave nothing behind when an export holds no listen', async () => {
    await assert.rejects(run('this is no export\n', readLastfm1k), /none of its 1 records is a listen/);
    assert.deepEqual(await readdir(join(folder, 'out')), []);
  });

  it('leave a folder alone that holds demo data, and say where to put the import', async () => {
    const out = join(folder, 'out');
    await generateSeed({ ...defaultSeedOptions, days: 1, users: 2, songs: 20, eventsPerDay: 5 }, out);
    const before = await readFile(join(out, 'dim_songs.csv'), 'utf8');
    await assert.rejects(run(oneListen, readLastfm1k), { name: 'OptionError', message: /demo data: .*--out$/ });
    assert.equal(await readFile(join(out, 'dim_songs.csv'), 'utf8'), before);
    assert.ok(!(await readdir(out)).includes('fact_listening_events_imported.csv'));
  });

  it('leave a catalogue alone that is somebody’s own or another import’s', async () => {
    const out = join(folder, 'out');
    await mkdir(out);
    await writeFile(join(out, 'dim_users.csv'), 'mine');
    await assert.rejects(run(oneListen, readLastfm1k), /holds dim_users\.csv that no import wrote: .*--out/);
    await rm(out, { recursive: true });

    await run(oneListen, readLastfm1k);
    const other = run(oneListen, readLastfm1k, 'other');
    await assert.rejects(other, /dim_songs\.csv and dim_users\.csv of an import of .*export: .*--out/);
  });

  it('take the same file again when it has grown', async () => {
    await run(oneListen, readLastfm1k);
    const more = lastfm(['v', '2009-05-04T23:09:57Z', '', 'A', '', 'T']);
    const { events, users } = await run(oneListen + more, readLastfm1k);
    assert.deepEqual([events.length, users.length], [2, 2]);
  });

  it('give the same ids each time', async () => {
    const content = lastfm(['u', '2009-05-04T23:08:57Z', '', 'A', '', 'T']);
    const first = await run(content, readLastfm1k);
    const second = await run(content, readLastfm1k);
    assert.deepEqual(second.events, first.events);
  });
});

describe('the set of seen hashes', () => {
  it('knows what it was given while it grows, and nothing else', () => {
    const seen = new SeenHashes();
    const hashes = Array.from(
      { length: 200_000 },
      (_, index) => (BigInt(index) * 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn,
    );
    assert.ok(hashes.every((hash) => seen.add(hash)));
    assert.ok(hashes.every((hash) => !seen.add(hash)));
  });
});
