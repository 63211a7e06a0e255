import { z } from 'zod';
import { OptionError } from '../options.ts';
import { readCsvRecords } from './csv-records.ts';
import { readLines } from './lines.ts';
import type { SourceRecord } from './source.ts';

/**
 * Last.fm-1K (Celma 2010): user, time, artist id, artist, track id, track; separated by tabs, no header, and a quote is a
 * character like any other.
 */
export async function* readLastfm1k(path: string, encoding?: string): AsyncGenerator<SourceRecord> {
  for await (const line of readLines(path, { encoding })) {
    if (line.trim() === '') continue;
    const fields = line.split('\t');
    if (fields.length !== 6) {
      yield { skip: 'wrong_column_count' };
      continue;
    }
    const [user = '', time = '', artistId = '', artist = '', trackId = '', title = ''] = fields;
    yield { user, time, artistId, artist, trackId, title };
  }
}

const listenBrainzListen = z.object({
  user_name: z.string().optional(),
  user_id: z.union([z.string(), z.number()]).optional(),
  listened_at: z.union([z.string(), z.number()]).optional(),
  timestamp: z.union([z.string(), z.number()]).optional(),
  track_metadata: z.object({
    artist_name: z.string().nullish(),
    track_name: z.string().nullish(),
    mbid_mapping: z
      .object({ recording_mbid: z.string().nullish(), artist_mbids: z.array(z.string()).nullish() })
      .nullish(),
    additional_info: z
      .object({
        recording_mbid: z.string().nullish(),
        artist_mbids: z.array(z.string()).nullish(),
        duration_ms: z.number().nullish(),
      })
      .nullish(),
  }),
});

/** JSON lines of ListenBrainz listens, as its exports and its API have them. */
export async function* readListenBrainz(path: string): AsyncGenerator<SourceRecord> {
  for await (const line of readLines(path)) {
    if (line.trim() === '') continue;
    const parsed = listenBrainzListen.safeParse(parseJson(line));
    if (!parsed.success) {
      yield { skip: 'not_json' };
      continue;
    }
    const { user_name, user_id, listened_at, timestamp, track_metadata: track } = parsed.data;
    const { mbid_mapping: mapping, additional_info: info } = track;
    yield {
      user: user_name ?? String(user_id ?? ''),
      time: listened_at ?? timestamp ?? '',
      title: track.track_name ?? '',
      artist: track.artist_name ?? '',
      trackId: mapping?.recording_mbid ?? info?.recording_mbid ?? '',
      artistId: mapping?.artist_mbids?.[0] ?? info?.artist_mbids?.[0] ?? '',
      durationMs: info?.duration_ms ? String(info.duration_ms) : '',
    };
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

const neededFields = ['user_id', 'track', 'artist', 'timestamp'] as const;
const optionalFields = ['track_id', 'artist_id', 'event_type', 'genre', 'duration_ms'] as const;
type MappedField = (typeof neededFields)[number] | (typeof optionalFields)[number];
export type ColumnMap = Readonly<Partial<Record<MappedField, string>>>;

/** Parses `user_id=COL,track=COL,…`. Throws an OptionError with the reason for a bad map. */
export function parseColumnMap(text: string): ColumnMap {
  const known: readonly string[] = [...neededFields, ...optionalFields];
  const pairs = text.split(',').map((pair) => pair.split('='));
  const wrong = pairs.filter(([field = '', column]) => !known.includes(field) || !column);
  if (wrong.length > 0)
    throw new OptionError(
      `--map: ${wrong.map((pair) => pair.join('=')).join(', ')} is not FIELD=COLUMN; fields: ${known.join(', ')}`,
    );
  const map = Object.fromEntries(pairs) as ColumnMap;
  const missing = neededFields.filter((field) => map[field] === undefined);
  if (missing.length > 0) throw new OptionError(`--map lacks ${missing.join(', ')}`);
  return map;
}

/**
 * Any CSV with a header, by a column map. A field without a column is empty. Throws an OptionError with the line if a
 * quote does not close or if bytes do not fit the encoding.
 */
export async function* readMappedCsv(path: string, map: ColumnMap, encoding?: string): AsyncGenerator<SourceRecord> {
  let header: readonly string[] | undefined;
  let places: Readonly<Partial<Record<MappedField, number>>> = {};
  for await (const fields of readCsvRecords(path, encoding)) {
    if (!header) {
      header = fields;
      places = placesOf(path, header, map);
    } else if (fields.length === header.length) yield toListen(fields, places);
    else yield { skip: 'wrong_column_count' };
  }
}

function toListen(fields: readonly string[], places: Readonly<Partial<Record<MappedField, number>>>): SourceRecord {
  const field = (name: MappedField): string => fields[places[name] ?? -1] ?? '';
  return {
    user: field('user_id'),
    title: field('track'),
    artist: field('artist'),
    time: field('timestamp'),
    trackId: field('track_id'),
    artistId: field('artist_id'),
    eventType: field('event_type'),
    genre: field('genre'),
    durationMs: field('duration_ms'),
  };
}

/** The position of each mapped column. Throws an OptionError if the header has no column of that name, or several. */
function placesOf(path: string, header: readonly string[], map: ColumnMap): Partial<Record<MappedField, number>> {
  const columns = Object.values(map);
  const missing = columns.filter((column) => !header.includes(column));
  if (missing.length > 0) {
    throw new OptionError(`${path} has no column ${missing.join(', ')}; its columns: ${header.join(', ')}`);
  }
  const doubled = columns.find((column) => header.indexOf(column) !== header.lastIndexOf(column));
  if (doubled !== undefined) throw new OptionError(`${path}: two columns are named ${doubled}; rename one of them`);
  return Object.fromEntries(Object.entries(map).map(([field, column]) => [field, header.indexOf(column)]));
}
