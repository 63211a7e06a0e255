import { writeWhole } from './csv-file.ts';
import { artistPlaces, chartsOf, listenShares, seasonalTastes } from './listens.ts';
import { OptionError } from './options.ts';
import { genres } from './words.ts';
import type { World } from './world.ts';

/**
 * The generator's own knowledge about some days. It gives the probability that a listener's next listen, outside the
 * month's repeats and skips, is of a song: `favourite * favouriteArtists[user][artist of song] * artistShare[song] +
 * discovery * tastes[user][genre of song] * chartShare[song]`. Benches compare a model with this upper bound. The
 * pipeline never reads it.
 */
export interface Oracle {
  readonly firstDay: number;
  readonly days: number;
  readonly favourite: number;
  readonly discovery: number;
  readonly userIds: readonly string[];
  /** For each user, the affinity to each genre in this season; sums to 1. */
  readonly tastes: readonly (readonly number[])[];
  /** For each user, [index of an artist, how likely it is chosen]. */
  readonly favouriteArtists: readonly (readonly (readonly [number, number])[])[];
  readonly trackIds: readonly string[];
  readonly genre: readonly number[];
  readonly artist: readonly number[];
  /** For each song, its share of the listens of its artist by the artist's fans, as the mean over the days. */
  readonly artistShare: readonly number[];
  /** For each song, its share of its genre's discoveries; mean over the days. */
  readonly chartShare: readonly number[];
}

/** The oracle of some days of a world; day numbers as in calendar.ts. */
export function oracleOf(world: World, firstDay: number, days: number): Oracle {
  if (!Number.isSafeInteger(days) || days < 1) throw new OptionError(`--days must be a whole number of at least 1`);
  const listed = Array.from({ length: days }, (_, index) => firstDay + index);
  const middle = firstDay + Math.floor(days / 2);
  const { favourite, discovery } = listenShares;
  return {
    firstDay,
    days,
    favourite,
    discovery,
    userIds: world.users.map((user) => user.id),
    tastes: world.users.map((user) => seasonalTastes(user, middle)),
    favouriteArtists: world.users.map((user) => shares(user.artists, user.artistChances)),
    trackIds: world.songs.map((song) => song.id),
    genre: world.songs.map((song) => song.genre),
    artist: world.songs.map((song) => song.artist),
    artistShare: meanOf(listed.map((day) => artistShares(world, day))),
    chartShare: meanOf(listed.map((day) => chartShares(world, day))),
  };
}

/** Writes the oracle as JSON, whole or not at all. */
export async function writeOracle(path: string, oracle: Oracle): Promise<void> {
  await writeWhole(path, (file) => file.write(`${JSON.stringify(oracle)}\n`));
}

function shares(artists: readonly number[], chances: readonly number[]): [number, number][] {
  const total = chances.reduce((sum, chance) => sum + chance, 0);
  return artists.map((artist, index) => [artist, chances[index]! / total]);
}

function artistShares(world: World, day: number): number[] {
  const found = world.songs.map(() => 0);
  for (const artist of world.artists) {
    for (const { song, share } of artistPlaces(world, artist, day)) found[song]! += share;
  }
  return found;
}

function chartShares(world: World, day: number): number[] {
  const found = world.songs.map(() => 0);
  const charts = chartsOf(world.songs, day);
  for (let genre = 0; genre < genres.length; genre++) {
    const { songs, weights } = charts[genre]!;
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    songs.forEach((song, index) => (found[song] = weights[index]! / total));
  }
  return found;
}

function meanOf(rows: readonly (readonly number[])[]): number[] {
  return rows[0]!.map((_, column) => rows.reduce((sum, row) => sum + row[column]!, 0) / rows.length);
}
