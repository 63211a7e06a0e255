import { createHash } from 'node:crypto';
import { csvLine } from '../csv-file.ts';
import type { TakenListen } from './source.ts';

interface CatalogueTrack {
  readonly id: string;
  readonly title: string;
  readonly artistId: string;
  readonly artist: string;
  readonly genre: string;
  readonly durationMs: string;
}

/**
 * The tracks and users of an import. Artist and title identify a track, regardless of case. A track keeps the id of its
 * first listen. Without an id in the export, the track gets an id made of both names, which is the same in every
 * import. Memory holds an entry per track.
 */
export class Catalogue {
  readonly #tracks = new Map<string, CatalogueTrack>();
  readonly #artists = new Map<string, string>();
  readonly #firstListen = new Map<string, string>();

  get tracks(): number {
    return this.#tracks.size;
  }

  get users(): number {
    return this.#firstListen.size;
  }

  /** Notes a listen's user and track; answers the track's id. */
  note(listen: TakenListen): string {
    const first = this.#firstListen.get(listen.user);
    if (first === undefined || listen.timestamp < first) this.#firstListen.set(listen.user, listen.timestamp);
    const name = `${fold(listen.artist)}\0${fold(listen.title)}`;
    const track = this.#tracks.get(name) ?? this.#newTrack(listen, name);
    this.#tracks.set(name, track);
    return track.id;
  }

  /** The lines of dim_songs.csv. Fields that the export does not know are empty. */
  *songLines(): Generator<string> {
    for (const track of this.#tracks.values()) {
      yield csvLine([track.id, track.title, track.artistId, track.artist, track.genre, track.durationMs, '', '']);
    }
  }

  /** The lines of dim_users.csv; a user joins with the first listen. */
  *userLines(): Generator<string> {
    for (const [user, first] of this.#firstListen) yield csvLine([user, user, '', first.slice(0, 10)]);
  }

  #newTrack(listen: TakenListen, name: string): CatalogueTrack {
    const { title, artist, genre, durationMs } = listen;
    const artistName = fold(artist);
    const artistId = this.#artists.get(artistName) ?? (listen.artistId || stableId('artist', artistName));
    this.#artists.set(artistName, artistId);
    const id = listen.trackId || stableId('track', name);
    return { id, title, artistId, artist, genre, durationMs: /^\d{1,9}$/.test(durationMs) ? durationMs : '' };
  }
}

function fold(name: string): string {
  return name.normalize('NFKC').toLowerCase();
}

function stableId(kind: string, name: string): string {
  return `${kind}-${createHash('sha256').update(name).digest('hex').slice(0, 20)}`;
}
