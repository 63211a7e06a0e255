import { dateOf } from './calendar.ts';
import { csvLine } from './csv-file.ts';
import { createRandom, WeightedChoice, type Random } from './random.ts';
import { adjectives, genres } from './words.ts';
import type { User, World } from './world.ts';

const playlistsPerUser = 2;
const followsPerUser = 10;

/** The lines of dim_songs.csv without its header. */
export function* songLines({ songs, artists }: World): Generator<string> {
  for (const song of songs) {
    const artist = artists[song.artist]!;
    const genre = genres[song.genre]!;
    yield csvLine([
      song.id,
      song.title,
      artist.id,
      artist.name,
      genre,
      song.durationMs,
      dateOf(song.releaseDay),
      song.popularity,
    ]);
  }
}

/** The lines of dim_users.csv without its header. */
export function* userLines({ users }: World): Generator<string> {
  for (const user of users) {
    yield csvLine([user.id, user.name, preferredGenres(user).join(','), dateOf(user.joinDay)]);
  }
}

/** The three genres a user likes most. */
export function preferredGenres(user: User): string[] {
  return user.tastes
    .map((taste, genre) => ({ taste, genre }))
    .toSorted((one, other) => other.taste - one.taste)
    .slice(0, 3)
    .map(({ genre }) => genres[genre]!);
}

/** A playlist of a user, with tracks of artists they like. */
export interface Playlist {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly createdDay: number;
  readonly tracks: readonly string[];
}

/** Every playlist of the world. */
export function* playlists(world: World): Generator<Playlist> {
  const random = createRandom(world.options.seed, 'playlists');
  let number = 0;
  for (const user of world.users) {
    for (let count = 0; count < playlistsPerUser; count++) {
      const name = `${adjectives[random.below(adjectives.length)]!} ${genres[random.below(genres.length)]!}, mostly`;
      const createdDay = Math.max(user.joinDay, 0) + random.below(60);
      yield {
        id: `playlist-${++number}`,
        name,
        owner: user.id,
        createdDay,
        tracks: drawTracks(random, world, user, createdDay),
      };
    }
  }
}

function drawTracks(random: Random, world: World, user: User, day: number): string[] {
  const tracks = new Set<string>();
  for (let tries = 0; tries < 25 && user.artists.length > 0; tries++) {
    const artist = world.artists[user.artists[user.artistChoice.draw(random)]!]!;
    const song = world.songs[artist.songs[random.below(artist.songs.length)]!]!;
    if (song.releaseDay <= day) tracks.add(song.id);
  }
  return [...tracks];
}

/** The lines of graph_user_follows.csv without its header: users follow users with similar tastes. */
export function* followLines({ users, options }: World): Generator<string> {
  const random = createRandom(options.seed, 'follows');
  const candidates = 40;
  for (const user of users) {
    const others = new Set<User>();
    const some = Array.from({ length: candidates }, () => users[random.below(users.length)]!).filter(
      (other) => other !== user,
    );
    if (some.length === 0) continue;
    const likeness = new WeightedChoice(some.map((other) => similarity(user, other) ** 4 + 1e-9));
    for (let tries = 0; tries < followsPerUser; tries++) others.add(some[likeness.draw(random)]!);
    for (const other of others) yield csvLine([user.id, other.id]);
  }
}

/** Cosine of two users' tastes. */
function similarity(one: User, other: User): number {
  let dot = 0;
  let lengthOne = 0;
  let lengthOther = 0;
  for (let genre = 0; genre < one.tastes.length; genre++) {
    dot += one.tastes[genre]! * other.tastes[genre]!;
    lengthOne += one.tastes[genre]! ** 2;
    lengthOther += other.tastes[genre]! ** 2;
  }
  return dot / Math.sqrt(lengthOne * lengthOther);
}
