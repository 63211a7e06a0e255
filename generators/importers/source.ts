import { eventTypes } from '../listens.ts';

/** Why a record of an export was not taken. */
export type SkipReason =
  | 'no user'
  | 'no track title'
  | 'no artist'
  | 'no usable time'
  | 'unknown event type'
  | 'wrong number of columns'
  | 'not JSON'
  | 'the same listen again';

/** One listen of an export, as far as the export knows it; empty text means unknown. */
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

/** A listen that has all it must have, its time in UTC. */
export interface TakenListen extends Omit<SourceListen, 'time' | 'eventType'> {
  readonly timestamp: string;
  readonly eventType: string;
}

const firstUsableMs = Date.UTC(1971, 0, 1);
const lastUsableMs = Date.UTC(2100, 0, 1);

/** Tidies one listen: trimmed, in Unicode's composed form, its time as ISO 8601 UTC; or says why it cannot be taken. */
export function tidy(listen: SourceListen): TakenListen | { readonly skip: SkipReason } {
  const user = clean(listen.user);
  const title = clean(listen.title);
  const artist = clean(listen.artist);
  const timestamp = toIso(listen.time);
  const eventType = clean(listen.eventType ?? '') || 'complete_listen';
  if (!user) return { skip: 'no user' };
  if (!title) return { skip: 'no track title' };
  if (!artist) return { skip: 'no artist' };
  if (timestamp === undefined) return { skip: 'no usable time' };
  if (!eventTypes.some((known) => known === eventType)) return { skip: 'unknown event type' };
  return { ...listen, user, title, artist, timestamp, eventType };
}

/** Spaces, tabs and line breaks at the ends are noise; inside they become one space each. */
function clean(text: string): string {
  return text.normalize('NFC').replaceAll(/\s+/g, ' ').trim();
}

/** Seconds or milliseconds since 1970, or ISO 8601 (UTC where no offset is given). */
function toIso(time: string | number): string | undefined {
  const ms = toMs(time);
  const isUsable = Number.isFinite(ms) && ms >= firstUsableMs && ms < lastUsableMs;
  return isUsable ? new Date(ms).toISOString().replace('.000Z', 'Z') : undefined;
}

function toMs(time: string | number): number {
  const number = typeof time === 'number' ? time : /^\d{9,13}$/.test(time.trim()) ? Number(time) : undefined;
  if (number !== undefined) return number < 1e11 ? number * 1000 : number;
  const text = String(time).trim().replace(' ', 'T');
  return Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/i.test(text) || !text.includes('T') ? text : `${text}Z`);
}
