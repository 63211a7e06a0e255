import { createRandom, WeightedChoice, type Random } from './random.ts';
import type { SeedOptions } from './options.ts';
import { adjectives, bandPatterns, firstNames, genres, lastNames, nouns, titlePatterns } from './words.ts';

const songsPerArtist = 10;
const favouriteArtists = 40;
const lastDay = 366 + 364;

/** A song; days are day numbers (2024-01-01 = 0). */
export interface Song {
  readonly id: string;
  readonly title: string;
  readonly artist: number;
  readonly genre: number;
  readonly durationMs: number;
  readonly releaseDay: number;
  /** 0 to 100. */
  readonly popularity: number;
  /** The day a sleeper hit wakes up; undefined for the many that never do. */
  readonly wakesOnDay: number | undefined;
}

/** An artist and its songs (indexes), earliest release first. */
export interface Artist {
  readonly id: string;
  readonly name: string;
  readonly genre: number;
  readonly songs: readonly number[];
}

/** A user with the latent tastes that determine the user's plays. */
export interface User {
  readonly id: string;
  readonly name: string;
  readonly joinDay: number;
  /** The user's share of listens, relative to the remaining users. */
  readonly activity: number;
  /** Affinity to each genre; sums to 1. */
  readonly tastes: readonly number[];
  /** Favourite artists, most loved first. `artistChances` has the relative play probability of each artist. */
  readonly artists: readonly number[];
  readonly artistChances: readonly number[];
  readonly artistChoice: WeightedChoice;
}

/** The facts that are the same on every day: users, songs and tastes. */
export interface World {
  readonly options: SeedOptions;
  readonly songs: readonly Song[];
  readonly artists: readonly Artist[];
  readonly users: readonly User[];
}

/** Builds the world of a seed; a pure function of the options that shape it (not of `days`). */
export function buildWorld(options: SeedOptions): World {
  const catalogue = buildCatalogue(options);
  const users = buildUsers(options, catalogue.artists);
  return { options, ...catalogue, users };
}

function buildCatalogue({ seed, songs: count }: SeedOptions): { songs: Song[]; artists: Artist[] } {
  const random = createRandom(seed, 'catalogue');
  const artistCount = Math.max(1, Math.ceil(count / songsPerArtist));
  const artists = Array.from({ length: artistCount }, (_, index) => ({
    id: `artist-${index + 1}`,
    name: nameArtist(random, index),
    genre: random.below(genres.length),
    fame: Math.exp(random.normal()),
    songs: [] as number[],
  }));
  const fame = new WeightedChoice(artists.map((artist) => artist.fame));
  const songs = Array.from({ length: count }, (_, index) => {
    // First a song for each artist, so that no artist is without songs. Then famous artists get more songs.
    const artist = index < artistCount ? index : fame.draw(random);
    artists[artist]!.songs.push(index);
    return buildSong(random, index, artist, artists[artist]!);
  });
  for (const artist of artists) artist.songs.sort((one, other) => songs[one]!.releaseDay - songs[other]!.releaseDay);
  return { songs, artists };
}

function buildSong(random: Random, index: number, artist: number, by: { genre: number; fame: number }): Song {
  const isNew = index > 0 && random.next() < 0.25;
  const popularity = Math.min(100, 8 * by.fame * Math.exp(0.8 * random.normal()));
  const releaseDay = isNew ? random.below(lastDay) : -1 - random.below(365 * 20);
  return {
    id: String(10_001 + index),
    title: pick(random, titlePatterns)(pick(random, adjectives), pick(random, nouns)),
    artist,
    genre: random.next() < 0.9 ? by.genre : random.below(genres.length),
    durationMs: 90_000 + random.below(270_000),
    releaseDay,
    popularity: Math.round(popularity * 100) / 100,
    wakesOnDay: random.next() < 0.01 ? Math.max(releaseDay, 0) + random.below(300) : undefined,
  };
}

function buildUsers({ seed, users: count, taste }: SeedOptions, artists: readonly Artist[]): User[] {
  const random = createRandom(seed, 'users');
  const byGenre = genres.map((_, genre) => artists.flatMap((artist, index) => (artist.genre === genre ? [index] : [])));
  return Array.from({ length: count }, (_, index) => {
    const tastes = taste === 'none' ? genres.map(() => 1 / genres.length) : drawTastes(random);
    // Without taste there are no favourites and no repeats: all users listen to popular songs.
    const favourites = taste === 'none' ? [] : drawFavourites(random, tastes, byGenre, artists.length);
    const artistChances = favourites.map((__, rank) => 1 / (rank + 2));
    return {
      id: String(index + 1),
      name: `${pick(random, firstNames)} ${pick(random, lastNames)}`,
      // The first user is present from the first day. A third of the remaining users joins later.
      joinDay: index > 0 && random.next() < 0.35 ? random.below(lastDay) : -1 - random.below(900),
      activity: Math.exp(0.7 * random.normal()),
      tastes,
      artists: favourites,
      artistChances,
      artistChoice: new WeightedChoice(artistChances),
    };
  });
}

/** Three genres matter to a user, the first most; the rest is curiosity. */
function drawTastes(random: Random): number[] {
  const weights = genres.map(() => 0.15 * random.next());
  for (const weight of [6, 3, 1.5]) weights[random.below(genres.length)]! += weight * (0.5 + random.next());
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

function drawFavourites(
  random: Random,
  tastes: readonly number[],
  byGenre: readonly (readonly number[])[],
  artistCount: number,
): number[] {
  const genreChoice = new WeightedChoice(tastes);
  const chosen = new Set<number>();
  for (let tries = 0; chosen.size < Math.min(favouriteArtists, artistCount) && tries < 1_000; tries++) {
    const artists = byGenre[genreChoice.draw(random)]!;
    // Squaring prefers the start of a genre's list: tastes overlap, so that listeners resemble each other.
    if (artists.length > 0) chosen.add(artists[Math.floor(random.next() ** 2 * artists.length)]!);
  }
  return [...chosen];
}

function nameArtist(random: Random, index: number): string {
  const name = pick(random, bandPatterns)(pick(random, adjectives), pick(random, nouns), pick(random, lastNames));
  return index < 200 ? name : `${name} ${roman(2 + (index % 18))}`;
}

function roman(value: number): string {
  const signs: readonly (readonly [number, string])[] = [
    [10, 'X'],
    [9, 'IX'],
    [5, 'V'],
    [4, 'IV'],
    [1, 'I'],
  ];
  let rest = value;
  let text = '';
  for (const [worth, sign] of signs) for (; rest >= worth; rest -= worth) text += sign;
  return text;
}

function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[random.below(items.length)]!;
}
