import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { lake } from '../../contracts/lake.ts';
import { checkCsv } from '../../activities/csv-check.ts';
import { defaultSeedOptions, OptionError } from '../../generators/options.ts';
import { oracleOf } from '../../generators/oracle.ts';
import { generateSeed } from '../../generators/seed.ts';
import { readState } from '../../generators/state.ts';
import { generateWeekly, truncateWeekly } from '../../generators/weekly.ts';
import { buildWorld } from '../../generators/world.ts';

const small = { ...defaultSeedOptions, days: 30, users: 60, songs: 1_200, eventsPerDay: 1_500 };

type Row = Readonly<Record<string, string>>;

const totalOf = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe('the generators', function () {
  this.timeout(30_000);
  let out: string;
  before(async () => {
    out = await mkdtemp(join(tmpdir(), 'segue-test-'));
    await generateSeed(small, out);
  });
  after(() => rm(out, { recursive: true, force: true }));

  async function rows(file: string, folder = out): Promise<Row[]> {
    return parse<Row>(await readFile(join(folder, file), 'utf8'), { columns: true });
  }

  async function hashes(folder: string): Promise<Record<string, string>> {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.csv'));
    const entries = names.map(async (name) => {
      const bytes = await readFile(join(folder, name));
      return [name, createHash('sha256').update(bytes).digest('hex')] as const;
    });
    return Object.fromEntries(await Promise.all(entries));
  }

  it('write one file for each dataset, with its header, and no other CSV', async () => {
    const names = (await readdir(out)).filter((name) => name.endsWith('.csv')).toSorted();
    assert.deepEqual(names, [
      'bridge_playlist_tracks.csv',
      'dim_playlists.csv',
      'dim_songs.csv',
      'dim_users.csv',
      'fact_listening_events_2024.csv',
      'graph_user_follows.csv',
    ]);
    for (const dataset of lake.datasets) {
      const file = names.find((name) => new RegExp(dataset.filePattern).test(name))!;
      const { header } = await checkCsv(join(out, file), { multiLine: dataset.multiLine });
      assert.deepEqual(header, dataset.columns);
    }
  });

  it('write the same bytes for the same options, and others for another seed', async () => {
    const again = await mkdtemp(join(tmpdir(), 'segue-test-'));
    const other = await mkdtemp(join(tmpdir(), 'segue-test-'));
    try {
      await generateSeed(small, again);
      await generateSeed({ ...small, seed: 7 }, other);
      assert.deepEqual(await hashes(again), await hashes(out));
      assert.notDeepEqual(await hashes(other), await hashes(out));
    } finally {
      await rm(again, { recursive: true });
      await rm(other, { recursive: true });
    }
  });

  it('write the last days of 2024, as many events a day as asked for', async () => {
    const perDay = new Map<string, number>();
    for (const { timestamp } of await rows('fact_listening_events_2024.csv')) {
      const day = timestamp!.slice(0, 10);
      perDay.set(day, (perDay.get(day) ?? 0) + 1);
    }
    assert.deepEqual([...perDay.keys()].toSorted().at(0), '2024-12-02');
    assert.deepEqual([...perDay.keys()].toSorted().at(-1), '2024-12-31');
    assert.deepEqual(new Set(perDay.values()), new Set([1_500]));
  });

  it('let nobody listen before joining, and nothing be played before its release', async () => {
    const joined = new Map((await rows('dim_users.csv')).map((user) => [user['user_id'], user['join_date']!]));
    const released = new Map((await rows('dim_songs.csv')).map((song) => [song['track_id'], song['release_date']!]));
    for (const event of await rows('fact_listening_events_2024.csv')) {
      const day = event['timestamp']!.slice(0, 10);
      assert.ok(joined.get(event['user_id'])! <= day, `user ${event['user_id']} listens on ${day} before joining`);
      assert.ok(
        released.get(event['track_id'])! <= day,
        `track ${event['track_id']} is played on ${day} before its release`,
      );
    }
  });

  it('give users tastes: a listener of folk plays more folk than others do', async () => {
    const genreOf = new Map((await rows('dim_songs.csv')).map((song) => [song['track_id'], song['genre']]));
    const favourite = new Map(
      (await rows('dim_users.csv')).map((user) => [user['user_id'], user['preferred_genres']!.split(',')[0]]),
    );
    const events = await rows('fact_listening_events_2024.csv');
    const inFavourite = events.filter((event) => genreOf.get(event['track_id']) === favourite.get(event['user_id']));
    // Of 12 genres, chance alone would give each about 8 %.
    assert.ok(
      inFavourite.length / events.length > 0.25,
      `only ${inFavourite.length} of ${events.length} in the favourite genre`,
    );
  });

  it('let users repeat what they love: the ten most played songs of a user are a good part of their listens', async () => {
    const plays = new Map<string, number>();
    const events = (await rows('fact_listening_events_2024.csv')).filter((event) => event['user_id'] === '1');
    for (const event of events) plays.set(event['track_id']!, (plays.get(event['track_id']!) ?? 0) + 1);
    const top = [...plays.values()].toSorted((one, other) => other - one).slice(0, 10);
    const share = top.reduce((sum, count) => sum + count, 0) / events.length;
    assert.ok(share > 0.2, `ten songs are ${share} of the listens`);
  });

  it('continue with weekly files from 2025-01-07 on, seven days each, with event ids never seen before', async () => {
    const [first, second] = await generateWeekly({ count: 2, out });
    assert.ok(first!.endsWith(join('weekly_trends', 'trends_2025-01-07.csv')));
    assert.ok(second!.endsWith('trends_2025-01-14.csv'));
    const week = await rows('weekly_trends/trends_2025-01-07.csv');
    const days = new Set(week.map((event) => event['timestamp']!.slice(0, 10)));
    assert.deepEqual([days.size, [...days].toSorted()[0]], [7, '2025-01-01']);
    const all = [
      ...(await rows('fact_listening_events_2024.csv')),
      ...week,
      ...(await rows('weekly_trends/trends_2025-01-14.csv')),
    ];
    assert.equal(new Set(all.map((event) => event['event_id'])).size, all.length);
  });

  it('write the same week again after --truncate', async () => {
    const path = join(out, 'weekly_trends', 'trends_2025-01-07.csv');
    const before = await readFile(path);
    assert.equal(await truncateWeekly(out), 2);
    await generateWeekly({ count: 1, out });
    assert.deepEqual(await readFile(path), before);
  });

  it('leave no weekly file and no state of the weeks after --truncate, but the seed', async () => {
    await generateWeekly({ count: 1, out });
    await truncateWeekly(out);
    assert.deepEqual(await readdir(join(out, 'weekly_trends')), []);
    assert.ok(!(await readdir(out)).includes('data_generation_state.json'));
    assert.deepEqual(await readState(out), { options: small, lastWeekEnd: null });
    const [next] = await generateWeekly({ count: 1, out });
    assert.ok(next!.endsWith('trends_2025-01-07.csv'));
  });

  it('truncate nothing where the generator made no seed', async () => {
    const own = await mkdtemp(join(tmpdir(), 'segue-test-'));
    const file = join(own, 'weekly_trends', 'trends_2025-01-07.csv');
    try {
      await mkdir(join(own, 'weekly_trends'));
      await writeFile(file, 'mine');
      await assert.rejects(truncateWeekly(own), { name: 'OptionError', message: /no generated seed.*all stay/ });
      await writeFile(join(own, 'data_generation_state.json'), '{broken');
      await assert.rejects(truncateWeekly(own), { name: 'OptionError', message: /cannot be read/ });
      assert.equal(await readFile(file, 'utf8'), 'mine');
    } finally {
      await rm(own, { recursive: true });
    }
  });

  it('go on with a folder whose seed has its options in the state of the weeks, as the first ones had', async () => {
    const old = await mkdtemp(join(tmpdir(), 'segue-test-'));
    const state = { options: small, lastWeekEnd: '2025-01-14' };
    try {
      await writeFile(join(old, 'data_generation_state.json'), JSON.stringify(state));
      assert.deepEqual(await readState(old), state);
      await truncateWeekly(old);
      assert.deepEqual(await readState(old), { ...state, lastWeekEnd: null });
    } finally {
      await rm(old, { recursive: true });
    }
  });

  it('make listeners without taste who differ from one another by chance alone, with --taste none', async () => {
    const flat = await mkdtemp(join(tmpdir(), 'segue-test-'));
    try {
      await generateSeed({ ...small, taste: 'none' }, flat);
      const genreOf = new Map((await rows('dim_songs.csv', flat)).map((song) => [song['track_id'], song['genre']]));
      const perUser = new Map<string, Map<string, number>>();
      const events = await rows('fact_listening_events_2024.csv', flat);
      for (const event of events) {
        const mine = perUser.get(event['user_id']!) ?? new Map<string, number>();
        const genre = genreOf.get(event['track_id'])!;
        perUser.set(event['user_id']!, mine.set(genre, (mine.get(genre) ?? 0) + 1));
      }
      const busiest = [...perUser.values()]
        .map((mine) => [...mine.values()])
        .toSorted((one, other) => totalOf(other) - totalOf(one))
        .slice(0, 10);
      // 12 genres and their seasons (half as much again at most): with taste the first of a user has a third and more.
      for (const counts of busiest) assert.ok(Math.max(...counts) / totalOf(counts) < 0.2, String(counts));
    } finally {
      await rm(flat, { recursive: true });
    }
  });

  it('know what could be known: the oracle is of the world that was generated, and of no file of the seed', async () => {
    const { options } = await readState(out);
    const world = buildWorld(options);
    const oracle = oracleOf(world, 359, 7);
    assert.deepEqual(
      oracle.userIds,
      world.users.map((user) => user.id),
    );
    for (const tastes of oracle.tastes) assert.ok(Math.abs(totalOf(tastes) - 1) < 1e-9);
    for (const artists of oracle.favouriteArtists)
      assert.ok(Math.abs(totalOf(artists.map(([, chance]) => chance)) - 1) < 1e-9);
    for (const shares of [oracle.artistShare, oracle.chartShare])
      assert.ok(shares.every((share) => share >= 0 && share <= 1));
    // Every genre's chart is divided up among its songs.
    assert.ok(Math.abs(totalOf(oracle.chartShare) - new Set(oracle.genre).size) < 1e-6);
    // What they play is what the oracle says: an oracle's favourite artist of user 1 has more of their listens than another.
    const artistOf = new Map((await rows('dim_songs.csv')).map((song) => [song['track_id'], song['artist_id']]));
    const events = (await rows('fact_listening_events_2024.csv')).filter((event) => event['user_id'] === '1');
    const dearest = new Set(oracle.favouriteArtists[0]!.slice(0, 10).map(([artist]) => world.artists[artist]!.id));
    const share = events.filter((event) => dearest.has(artistOf.get(event['track_id'])!)).length / events.length;
    assert.ok(share > 0.2, `ten of ${world.artists.length} artists have ${share}`);
  });

  it('refuse weeks where no seed is, and say what to run', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'segue-test-'));
    try {
      await assert.rejects(generateWeekly({ count: 1, out: empty }), (error: unknown) => {
        return error instanceof OptionError && error.message.includes('npm run generate -- seed');
      });
    } finally {
      await rm(empty, { recursive: true });
    }
  });

  it('refuse options that make no sense by name', async () => {
    await assert.rejects(generateSeed({ ...small, eventsPerDay: 0 }, out), /--events-per-day/);
    await assert.rejects(generateSeed({ ...small, days: 367 }, out), /--days/);
  });
});
