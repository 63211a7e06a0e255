import { eventTypes } from '../../contracts/acceptance/rules.ts';
import { idProblem, isBlank, nameProblem, type TextProblem } from '../../contracts/acceptance/text.ts';
import { parseTime, rangeProblem, type RangeProblem, type TimeRange } from '../../contracts/acceptance/time.ts';

/** Why a record of an export was not taken, in the words of contracts/acceptance. */
export type SkipReason =
  | `${TextProblem}_${'user_id' | 'title' | 'artist_name' | 'track_id' | 'artist_id' | 'genre'}`
  | `${'missing' | 'bad' | RangeProblem}_timestamp`
  | 'unknown_event_type'
  | 'wrong_column_count'
  | 'not_json'
  | 'repeated_listen';

/** A listen of an export, with the facts that the export has. Empty text means unknown. */
export interface SourceListen {
  readonly user: string;
  readonly title: string;
  readonly artist: string;
  readonly time: string | number;
  readonly trackId?: string | undefined;
  readonly artistId?: string | undefined;
  readonly eventType?: string | undefined;
  readonly genre?: string | undefined;
  readonly durationMs?: string | undefined;
}

/** A record of an export: a listen, or why it is none. */
export type SourceRecord = SourceListen | { readonly skip: SkipReason };

/** A listen that has all it must have, its time in UTC; empty text means unknown. */
export interface TakenListen {
  readonly user: string;
  readonly title: string;
  readonly artist: string;
  readonly trackId: string;
  readonly artistId: string;
  readonly genre: string;
  readonly durationMs: string;
  readonly eventType: string;
  readonly timestamp: string;
}

/**
 * Normalises a listen: trims texts, composes Unicode, writes the time as ISO 8601 UTC. Returns the reason if the listen
 * is not acceptable. The rules apply to the received text and to the stored text.
 */
export function tidy(listen: SourceListen, range: TimeRange): TakenListen | { readonly skip: SkipReason } {
  const { user, title, artist, time, trackId = '', artistId = '', genre = '', durationMs = '' } = listen;
  const needed = { user_id: user, title, artist_name: artist, timestamp: String(time) };
  const missing = entriesOf(needed).find(([, text]) => isBlank(text));
  if (missing) return { skip: `missing_${missing[0]}` };
  const ids = { user_id: user, track_id: trackId, artist_id: artistId };
  const names = { title, artist_name: artist, genre };
  const problem = firstProblem(ids, idProblem) ?? firstProblem(names, nameProblem);
  if (problem) return { skip: problem };
  const eventType = listen.eventType || 'complete_listen';
  if (!eventTypes.some((known) => known === eventType)) return { skip: 'unknown_event_type' };
  const playedAt = readTime(String(time), range);
  if (typeof playedAt === 'string') return { skip: `${playedAt}_timestamp` };
  return {
    user: clean(user),
    title: clean(title),
    artist: clean(artist),
    trackId: cleanOptional(trackId),
    artistId: cleanOptional(artistId),
    genre: cleanOptional(genre),
    durationMs,
    eventType,
    timestamp: new Date(playedAt).toISOString().replace('.000Z', 'Z'),
  };
}

/** The first text that breaks a rule. Blank optional texts are not checked. */
function firstProblem<Column extends string>(
  texts: Readonly<Record<Column, string>>,
  check: (text: string) => TextProblem | undefined,
): `${TextProblem}_${Column}` | undefined {
  for (const [column, text] of entriesOf(texts)) {
    const problem = isBlank(text) ? undefined : (check(text) ?? check(clean(text)));
    if (problem) return `${problem}_${column}`;
  }
  return undefined;
}

function entriesOf<Column extends string>(texts: Readonly<Record<Column, string>>): [Column, string][] {
  return Object.entries(texts) as [Column, string][];
}

/** Removes spaces at both ends, and collapses inner spaces. */
function clean(text: string): string {
  return text.normalize('NFC').replaceAll(/\s+/g, ' ').trim();
}

function cleanOptional(text: string): string {
  return isBlank(text) ? '' : clean(text);
}

/** Milliseconds since 1970, or why there are none: the grammar, or digits alone that are seconds or milliseconds since 1970. */
function readTime(text: string, range: TimeRange): number | 'bad' | RangeProblem {
  const ms = epochMs(text) ?? parseTime(text);
  return ms === undefined ? 'bad' : (rangeProblem(ms, range) ?? ms);
}

function epochMs(text: string): number | undefined {
  if (/^\d{9,10}$/.test(text)) return Number(text) * 1000;
  return /^\d{12,13}$/.test(text) ? Number(text) : undefined;
}
