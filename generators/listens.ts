import { monthOf } from './calendar.ts';
import { createRandom, WeightedChoice, type Random } from './random.ts';
import type { Artist, Song, User, World } from './world.ts';
import { genres } from './words.ts';

const secondsPerDay = 86_400;
const obsessionsPerMonth = 8;
/** The sources of a listen: this month's repeats, favourite artists, or popular songs of a liked genre. */
const repeatShare = 0.25;
const favouriteShare = 0.45;

const skipsOfKnown = 0.06;
const skipsOfDiscoveries = 0.3;

/** The probability that a listen outside the repeats is by a favourite artist, or a discovery, and is not skipped. */
export const listenShares = {
  favourite: favouriteShare * (1 - skipsOfKnown),
  discovery: (1 - repeatShare - favouriteShare) * (1 - skipsOfDiscoveries),
} as const;

/** Receives a listen: indexes into the world, the second of the day, and the index of the event type. */
export type ListenSink = (user: number, song: number, second: number, eventType: number) => void;

/**
 * The listens of a day, `options.eventsPerDay` of them, in sessions. A pure function of world and day, so that days can
 * be made in any order and a weekly file does not depend on earlier files. A user listens only after joining, and a
 * song is played only after its release.
 */
export class ListenGenerator {
  readonly #world: World;
  readonly #obsessions = new Map<number, readonly number[]>();
  #obsessionMonth = Number.NaN;
  #chartWeek = Number.NaN;
  #charts: readonly Chart[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** Calls `sink` for every listen of a day. */
  day(day: number, sink: ListenSink): void {
    this.#turnPages(day);
    const { users, songs, options } = this.#world;
    const random = createRandom(options.seed, `listens/${day}`);
    const present = users.flatMap((user, index) => (user.joinDay <= day ? [index] : []));
    const activity = new WeightedChoice(present.map((index) => users[index]!.activity));
    const tasteChoices = new Map<number, WeightedChoice>();
    for (let left = options.eventsPerDay; left > 0;) {
      const user = present[activity.draw(random)]!;
      const length = Math.min(left, 5 + random.below(21));
      let second = random.below(secondsPerDay - length * 420);
      for (let played = 0; played < length; played++) {
        const listen = this.#choose(random, user, day, tasteChoices);
        sink(user, listen.song, second, listen.eventType);
        const seconds = songs[listen.song]!.durationMs / 1000;
        second += Math.max(1, Math.floor(listen.eventType === 2 ? seconds * 0.2 * random.next() : seconds));
      }
      left -= length;
    }
  }

  /** Charts are valid for seven days and repeats for a month. The generator then makes new charts and repeats. */
  #turnPages(day: number): void {
    const week = Math.floor(day / 7);
    if (week !== this.#chartWeek) this.#charts = chartsOf(this.#world.songs, day);
    this.#chartWeek = week;
    if (monthOf(day) !== this.#obsessionMonth) this.#obsessions.clear();
    this.#obsessionMonth = monthOf(day);
  }

  #choose(
    random: Random,
    user: number,
    day: number,
    tastes: Map<number, WeightedChoice>,
  ): { song: number; eventType: number } {
    const way = random.next();
    const known = way < repeatShare + favouriteShare;
    const song =
      way < repeatShare ? this.#repeat(random, user, day) : known ? this.#favourite(random, user, day) : undefined;
    if (song !== undefined) return { song, eventType: eventType(random, 0.1, skipsOfKnown) };
    return { song: this.#discover(random, user, day, tastes), eventType: eventType(random, 0.04, skipsOfDiscoveries) };
  }

  #repeat(random: Random, user: number, day: number): number | undefined {
    const obsessions = this.#obsessions.get(user) ?? this.#drawObsessions(user, day);
    return obsessions.length > 0 ? obsessions[Math.floor(random.next() ** 1.5 * obsessions.length)] : undefined;
  }

  #drawObsessions(user: number, day: number): readonly number[] {
    const { seed } = this.#world.options;
    const random = createRandom(seed, `obsessions/${user}/${this.#obsessionMonth}`);
    const firstDay = Math.max(this.#world.users[user]!.joinDay, firstDayOf(day));
    const drawn = Array.from({ length: obsessionsPerMonth }, () => this.#favourite(random, user, firstDay));
    const songs = drawn.filter((song) => song !== undefined);
    this.#obsessions.set(user, songs);
    return songs;
  }

  #favourite(random: Random, user: number, day: number): number | undefined {
    const listener = this.#world.users[user]!;
    if (listener.artists.length === 0) return undefined;
    const artist = this.#world.artists[listener.artists[listener.artistChoice.draw(random)]!]!;
    const released = releasedOn(this.#world, artist, day);
    // The newest songs of an artist are played most.
    return released > 0 ? artist.songs[released - 1 - Math.floor(random.next() ** 2 * released)] : undefined;
  }

  #discover(random: Random, user: number, day: number, tastes: Map<number, WeightedChoice>): number {
    const listener = this.#world.users[user]!;
    const taste = tastes.get(user) ?? seasonalTaste(listener, this.#charts, day);
    tastes.set(user, taste);
    const chart = this.#charts[taste.draw(random)]!;
    return chart.songs[chart.choice.draw(random)]!;
  }
}

/** The popular songs of a genre in a week: indexes and play probabilities. */
interface Chart {
  readonly songs: readonly number[];
  readonly weights: readonly number[];
  readonly choice: WeightedChoice;
}

/** The charts of each genre in the week of a day. */
export function chartsOf(songs: readonly Song[], anyDay: number): Chart[] {
  const day = Math.floor(anyDay / 7) * 7;
  const byGenre = genres.map(() => ({ songs: [] as number[], weights: [] as number[] }));
  songs.forEach((song, index) => {
    if (song.releaseDay > day && song.releaseDay >= 0) return;
    const chart = byGenre[song.genre]!;
    chart.songs.push(index);
    chart.weights.push(heat(song, day));
  });
  return byGenre.map(({ songs: listed, weights }) => ({
    songs: listed,
    weights,
    choice: new WeightedChoice(weights),
  }));
}

/** How much a song is heard of: its popularity, the weeks after its release, and for a sleeper hit its late rise. */
function heat(song: Song, day: number): number {
  const sinceRelease = day - song.releaseDay;
  const novelty = 1 + 4 * Math.exp(-sinceRelease / 28);
  const sinceWaking = song.wakesOnDay === undefined ? -1 : day - song.wakesOnDay;
  const rise = sinceWaking < 0 ? 0 : 400 * (sinceWaking / 21) * Math.exp(1 - sinceWaking / 21);
  return (song.popularity + 0.1) ** 1.3 * novelty + rise;
}

/** A user's taste in genres, leaning to the season: each genre has its time of the year. */
function seasonalTaste(user: User, charts: readonly Chart[], day: number): WeightedChoice {
  const weights = user.tastes.map((taste, genre) =>
    charts[genre]!.songs.length > 0 ? taste * seasonOf(genre, day) : 0,
  );
  return new WeightedChoice(weights);
}

/** A user's affinity to each genre on a day, season included; sums to 1. */
export function seasonalTastes(user: User, day: number): number[] {
  const weights = user.tastes.map((taste, genre) => taste * seasonOf(genre, day));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

function seasonOf(genre: number, day: number): number {
  return 1 + 0.5 * Math.cos((2 * Math.PI * (day - (genre * 366) / genres.length)) / 366);
}

/** How many of an artist's songs, earliest release first, are out on a day. */
function releasedOn(world: World, artist: Artist, day: number): number {
  let released = artist.songs.length;
  while (released > 0 && world.songs[artist.songs[released - 1]!]!.releaseDay > day) released--;
  return released;
}

/** The probability of each song of an artist on a day, for a fan of the artist. */
export function artistPlaces(
  world: World,
  artist: Artist,
  day: number,
): readonly { readonly song: number; readonly share: number }[] {
  const released = releasedOn(world, artist, day);
  // The square of a uniform number: place p (newest first) is drawn when it lies between p and p + 1 of `released`.
  const before = (place: number): number => Math.sqrt(place / released);
  return Array.from({ length: released }, (_, place) => ({
    song: artist.songs[released - 1 - place]!,
    share: before(place + 1) - before(place),
  }));
}

function eventType(random: Random, likes: number, skips: number): number {
  const draw = random.next();
  if (draw < likes) return 1;
  return draw < likes + skips ? 2 : 0;
}

function firstDayOf(day: number): number {
  const date = new Date(Date.UTC(2024, 0, 1) + day * secondsPerDay * 1000);
  return day - date.getUTCDate() + 1;
}
