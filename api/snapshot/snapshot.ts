import type { Table, Vector } from 'apache-arrow';
import type { SnapshotManifest } from '../../contracts/schemas/snapshot.ts';

/** A track of the catalogue. */
export interface Track {
  readonly track_id: string;
  readonly title: string;
  readonly artist_name: string;
  readonly genre: string | null;
}

/** A recommended track, with the model's reason. */
export interface RankedTrack {
  readonly track: Track;
  readonly rank: number;
  readonly score: number;
  readonly reasonType: string;
  readonly reasonTrackId: string | null;
}

/** The facts about a user beside the list. */
export interface Listener {
  readonly tier: 'personal' | 'cold_start';
  readonly genres: readonly string[];
}

/** A track of a week's chart. */
export interface TrendingTrack {
  readonly track: Track;
  readonly rank: number;
  readonly listenCount: number;
  readonly uniqueListeners: number;
  readonly trendScore: number;
  readonly previousRank: number | null;
}

/** A chart with fewer tracks belongs to a week that has hardly begun, and does not show the current taste. */
const leastChart = 20;

/** The tables of a snapshot; recommendations are split by user. */
export interface SnapshotTables {
  readonly recommendations: readonly Table[];
  readonly tracks: Table;
  /** None in a snapshot that is older than this kind of file. */
  readonly users: readonly Table[];
  readonly similar: Table;
  readonly trending: Table;
  /** None in a snapshot that is older than this kind of file. */
  readonly history: readonly Table[];
}

/** A play of a user from the lake. */
export interface PastPlay {
  readonly event_id: string;
  readonly track_id: string;
  readonly event_type: string;
  readonly timestamp: string;
}

interface Rows {
  readonly table: Table;
  readonly start: number;
  readonly end: number;
}

interface Selection {
  readonly rows: Rows | undefined;
  readonly limit: number;
  readonly isExcluded?: ((trackId: string) => boolean) | undefined;
}

/** A published snapshot in memory: Arrow columns, and an index from ids to rows. Never changes, but that users can be left out. */
export class Snapshot {
  readonly manifest: SnapshotManifest;
  readonly sizeBytes: number;
  readonly weeks: readonly string[];
  readonly #tables: SnapshotTables;
  readonly #users: ReadonlyMap<string, Rows>;
  readonly #listeners: ReadonlyMap<string, Listener>;
  readonly #tracks: ReadonlyMap<string, number>;
  readonly #similar: ReadonlyMap<string, Rows>;
  readonly #trending: ReadonlyMap<string, Rows>;
  readonly #history: ReadonlyMap<string, Rows>;
  readonly #searchTexts: readonly string[];
  #isForgotten: (userId: string) => boolean = () => false;

  constructor(manifest: SnapshotManifest, tables: SnapshotTables) {
    this.manifest = manifest;
    this.#tables = tables;
    this.sizeBytes = manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0);
    this.#users = indexGroups(tables.recommendations, 'user_id');
    this.#listeners = indexListeners(tables.users);
    this.#similar = indexGroups([tables.similar], 'track_id');
    this.#trending = indexGroups([tables.trending], 'week_end');
    this.#history = indexGroups(tables.history, 'user_id');
    this.weeks = [...this.#trending.keys()].toSorted();
    this.#tracks = new Map([...column(tables.tracks, 'track_id')].map((id, row) => [String(id), row]));
    this.#searchTexts = this.#foldTexts();
  }

  get users(): number {
    return this.#users.size;
  }

  /** Removes the users for whom `isForgotten` is true: they were forgotten after the snapshot was made. */
  leaveOut(isForgotten: (userId: string) => boolean): void {
    this.#isForgotten = isForgotten;
  }

  /** Whether any table has this user. */
  hasUser(userId: string): boolean {
    return [this.#rowsOf(userId), this.#playsOf(userId), this.listener(userId)].some((found) => found !== undefined);
  }

  /** A user's last plays in the lake, the newest first. */
  history(userId: string): readonly PastPlay[] {
    const plays = this.#mapRows({ rows: this.#playsOf(userId), limit: Infinity }, (table, row) => ({
      event_id: text(table, 'event_id', row),
      track_id: text(table, 'track_id', row),
      event_type: text(table, 'event_type', row),
      timestamp: text(table, 'timestamp', row),
    }));
    return plays ?? [];
  }

  /** A user's tracks, best first, without the excluded tracks. Undefined for a user that the model does not know. */
  recommendations(
    userId: string,
    limit: number,
    isExcluded?: (trackId: string) => boolean,
  ): readonly RankedTrack[] | undefined {
    const rows = { rows: this.#rowsOf(userId), limit, isExcluded };
    return this.#mapRows(rows, (table, row) => ({
      track: this.#trackOrStub(text(table, 'track_id', row)),
      rank: number(table, 'rank', row),
      score: number(table, 'score', row),
      reasonType: text(table, 'reason_type', row),
      reasonTrackId: textOrNull(table, 'reason_track_id', row),
    }));
  }

  #playsOf(userId: string): Rows | undefined {
    return this.#isForgotten(userId) ? undefined : this.#history.get(userId);
  }

  #rowsOf(userId: string): Rows | undefined {
    return this.#isForgotten(userId) ? undefined : this.#users.get(userId);
  }

  /** The facts about a user. Undefined for an unknown user. */
  listener(userId: string): Listener | undefined {
    return this.#isForgotten(userId) ? undefined : this.#listeners.get(userId);
  }

  /** The last week with a chart that is long enough; the last week if no chart is. */
  get currentWeek(): string | undefined {
    const isLong = (week: string): boolean => {
      const rows = this.#trending.get(week);
      return rows !== undefined && rows.end - rows.start >= leastChart;
    };
    return this.weeks.findLast(isLong) ?? this.weeks.at(-1);
  }

  track(trackId: string): Track | undefined {
    const row = this.#tracks.get(trackId);
    return row === undefined ? undefined : this.#trackAt(row);
  }

  /** Similar tracks, most similar first. Empty for a track without similar tracks. */
  similar(
    trackId: string,
    limit: number,
  ): readonly { readonly track: Track; readonly rank: number; readonly score: number }[] {
    const similar = this.#mapRows({ rows: this.#similar.get(trackId), limit }, (table, row) => ({
      track: this.#trackOrStub(text(table, 'similar_track_id', row)),
      rank: number(table, 'rank', row),
      score: number(table, 'score', row),
    }));
    return similar ?? [];
  }

  /** The chart of a week (its last day), without the excluded tracks; undefined for a week that has none. */
  trending(
    weekEnd: string,
    limit: number,
    isExcluded?: (trackId: string) => boolean,
  ): readonly TrendingTrack[] | undefined {
    const rows = { rows: this.#trending.get(weekEnd), limit, isExcluded };
    return this.#mapRows(rows, (table, row) => ({
      track: this.#trackOrStub(text(table, 'track_id', row)),
      rank: number(table, 'rank', row),
      listenCount: number(table, 'listen_count', row),
      uniqueListeners: number(table, 'unique_listeners', row),
      trendScore: number(table, 'trend_score', row),
      previousRank: numberOrNull(table, 'previous_rank', row),
    }));
  }

  /**
   * Tracks whose title and artist contain every word of the query, regardless of case and accents. A single pass over
   * the catalogue.
   */
  search(query: string, limit: number, offset: number): { readonly total: number; readonly tracks: readonly Track[] } {
    const words = fold(query).split(/\s+/).filter(Boolean);
    const rows = this.#searchTexts.flatMap((candidate, row) =>
      words.every((word) => candidate.includes(word)) ? [row] : [],
    );
    return { total: rows.length, tracks: rows.slice(offset, offset + limit).map((row) => this.#trackAt(row)) };
  }

  /** The first `limit` rows with a `track_id` that is not excluded. */
  #mapRows<Item>({ rows, limit, isExcluded }: Selection, map: (table: Table, row: number) => Item): Item[] | undefined {
    if (!rows) return undefined;
    const items: Item[] = [];
    for (let row = rows.start; row < rows.end && items.length < limit; row++) {
      if (!isExcluded?.(text(rows.table, 'track_id', row))) items.push(map(rows.table, row));
    }
    return items;
  }

  #trackAt(row: number): Track {
    const { tracks } = this.#tables;
    return {
      track_id: text(tracks, 'track_id', row),
      title: text(tracks, 'title', row),
      artist_name: text(tracks, 'artist_name', row),
      genre: textOrNull(tracks, 'genre', row),
    };
  }

  /** A track that was listened to but is in no catalogue file yet is served by its id: dimensions can arrive late. */
  #trackOrStub(trackId: string): Track {
    return this.track(trackId) ?? { track_id: trackId, title: trackId, artist_name: '', genre: null };
  }

  #foldTexts(): string[] {
    const { tracks } = this.#tables;
    return Array.from({ length: tracks.numRows }, (_, row) =>
      fold(`${text(tracks, 'title', row)} ${text(tracks, 'artist_name', row)}`),
    );
  }
}

function indexListeners(tables: readonly Table[]): Map<string, Listener> {
  const index = new Map<string, Listener>();
  for (const table of tables) {
    for (let row = 0; row < table.numRows; row++) {
      const tier = text(table, 'tier', row) === 'cold_start' ? 'cold_start' : 'personal';
      const genres = (textOrNull(table, 'genres', row) ?? '').split(',').map((genre) => genre.trim());
      index.set(text(table, 'user_id', row), { tier, genres: genres.filter(Boolean) });
    }
  }
  return index;
}

/** Where each group of equal ids starts and ends; the files are sorted by it. */
function indexGroups(tables: readonly Table[], idColumn: string): Map<string, Rows> {
  const index = new Map<string, Rows>();
  for (const table of tables) {
    let start = 0;
    let current: string | undefined;
    let row = 0;
    for (const value of column(table, idColumn)) {
      const id = String(value);
      if (id !== current) {
        if (current !== undefined) index.set(current, { table, start, end: row });
        current = id;
        start = row;
      }
      row++;
    }
    if (current !== undefined) index.set(current, { table, start, end: row });
  }
  return index;
}

function column(table: Table, name: string): Vector {
  const vector = table.getChild(name);
  if (!vector) throw new Error(`the snapshot has no column ${name}`);
  return vector;
}

function text(table: Table, name: string, row: number): string {
  return String(column(table, name).get(row));
}

function textOrNull(table: Table, name: string, row: number): string | null {
  const value = column(table, name).get(row) as string | null | undefined;
  return value ?? null;
}

function number(table: Table, name: string, row: number): number {
  return Number(column(table, name).get(row));
}

function numberOrNull(table: Table, name: string, row: number): number | null {
  const value: unknown = column(table, name).get(row);
  return value === null || value === undefined ? null : Number(value);
}

function fold(value: string): string {
  return value
    .normalize('NFKD')
    .replaceAll(/\p{Diacritic}/gu, '')
    .toLowerCase();
}
