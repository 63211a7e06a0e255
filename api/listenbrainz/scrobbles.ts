import { createHash } from 'node:crypto';
import { z } from 'zod';
import { rules } from '../../contracts/acceptance/rules.ts';
import { nameProblem, type TextProblem } from '../../contracts/acceptance/text.ts';
import { rangeProblem, timeRange, type TimeRange } from '../../contracts/acceptance/time.ts';
import type { ListeningEvent } from '../../contracts/schemas/events.ts';
import { ScrobbleError } from './errors.ts';

/** ListenBrainz's own limits. */
export const mostListens = 1_000;
export const mostListenBytes = 10_240;
export const mostBodyBytes = mostListens * mostListenBytes;
export const mostTags = 50;
export const mostTagLength = 64;
const listenTypes = ['single', 'playing_now', 'import'] as const;

/** A checked listen in the format of scrobblers. */
export interface Scrobble {
  readonly listenedAtMs: number;
  readonly title: string;
  readonly artist: string;
  readonly recordingId: string | undefined;
}

/**
 * The listens of a body of POST /1/submit-listens; none for playing_now, which is not a listen yet. Throws a
 * ScrobbleError for a body that ListenBrainz refuses, or with names or times that break the rules of
 * contracts/acceptance. `earliest` is the start of the allowed times.
 */
export function readSubmission(body: Buffer, now: Date, earliest: string): readonly Scrobble[] {
  const { type, payload } = readEnvelope(body);
  const range = timeRange(earliest, now);
  const scrobbles = payload.map((listen) => readListen(listen, type, now, range));
  return type === 'playing_now' ? [] : scrobbles;
}

/**
 * The event of a scrobble. Its id is made of user, time and track, so that a scrobbler that sends a listen again adds nothing;
 * its track is the recording's MusicBrainz id, or else made of artist and title, as the importers of listening histories do it.
 */
export function toListeningEvent(user: string, scrobble: Scrobble, now: Date): ListeningEvent {
  const trackId = scrobble.recordingId ?? trackIdOf(scrobble.artist, scrobble.title);
  const timestamp = new Date(scrobble.listenedAtMs).toISOString().replace('.000Z', 'Z');
  return {
    schema_version: 1,
    event_id: sha256(`${user}\0${timestamp}\0${trackId}`).subarray(0, 16).toString('hex'),
    user_id: user,
    track_id: trackId,
    event_type: 'complete_listen',
    timestamp,
    received_at: now.toISOString(),
    title: scrobble.title,
    artist_name: scrobble.artist,
  };
}

/**
 * The id of a track without an id of its own: the same for the same artist and title, regardless of case and spacing.
 */
export function trackIdOf(artist: string, title: string): string {
  const name = `${fold(artist)}\0${fold(title)}`;
  return `track-${sha256(name).toString('hex').slice(0, 20)}`;
}

function fold(name: string): string {
  return clean(name).normalize('NFKC').toLowerCase();
}

function clean(text: string): string {
  return text.normalize('NFC').replaceAll(/\s+/g, ' ').trim();
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

type ListenType = (typeof listenTypes)[number];

function readEnvelope(body: Buffer): { readonly type: ListenType; readonly payload: readonly unknown[] } {
  const document = parseJson(body);
  if (!isObject(document))
    refuse('Invalid JSON document submitted. Top level of JSON document should be a json object.');
  const { payload, listen_type: given } = document;
  if (payload === undefined || given === undefined) refuse('Invalid JSON document submitted.');
  if (!Array.isArray(payload)) refuse('The payload in the JSON document should be a list of listens.');
  if (payload.length === 0) refuse('JSON document does not contain any listens');
  if (payload.length > mostListens) {
    refuse(`Too many listens. You may not submit more than ${mostListens} listens at once.`);
  }
  const tooLarge = payload.some((listen) => Buffer.byteLength(JSON.stringify(listen)) > mostListenBytes);
  if (tooLarge || body.length > payload.length * mostListenBytes) {
    refuse(`JSON document is too large. Each listens may not be larger than ${mostListenBytes} bytes.`);
  }
  const type = listenTypes.find((known) => known === given);
  if (!type) refuse('JSON document requires a valid listen_type key.');
  if (type !== 'import' && payload.length > 1) {
    refuse('JSON document contains more than listen for a single/playing_now. It should contain only one.');
  }
  return { type, payload };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    return refuse(`Cannot parse JSON document: ${(error as Error).message}`);
  }
}

function readListen(listen: unknown, type: ListenType, now: Date, range: TimeRange): Scrobble {
  if (!isObject(listen)) refuse('Each listen in the payload should be a json object.');
  const listenedAtMs = readTime(listen, type, now, range);
  const metadata = listen['track_metadata'];
  if (!isObject(metadata)) refuse('JSON document does not contain required track_metadata.');
  const title = readName(metadata, 'track_name');
  const artist = readName(metadata, 'artist_name');
  const info = metadata['additional_info'];
  if (info !== undefined && info !== null && !isObject(info)) refuse('additional_info should be a json object.');
  checkTags(info?.['tags']);
  return { listenedAtMs, title, artist, recordingId: readRecordingId(info?.['recording_mbid']) };
}

function readTime(listen: Readonly<Record<string, unknown>>, type: ListenType, now: Date, range: TimeRange): number {
  const { listened_at: given, track_metadata: _metadata, ...others } = listen;
  if (type === 'playing_now') {
    if (given !== undefined && given !== null) {
      refuse('JSON document must not contain listened_at while submitting playing_now.');
    }
    return now.getTime();
  }
  if (given === undefined) refuse('JSON document must contain the key listened_at at the top level.');
  const seconds = secondsOf(given);
  if (seconds === undefined) refuse('JSON document must contain an int value for listened_at.');
  if (Object.keys(others).length > 0) {
    refuse('JSON document may only contain listened_at and track_metadata top level keys');
  }
  const problem = rangeProblem(seconds * 1000, range);
  if (problem === 'too_late') {
    refuse(`Value for key listened_at is too high. listened_at timestamp should not be greater than the current time.`);
  }
  if (problem === 'too_early') {
    const firstSeconds = Math.ceil(range.earliestMs / 1000);
    refuse(`Value for key listened_at is too low. listened_at timestamp should be greater than ${firstSeconds}.`);
  }
  return seconds * 1000;
}

/** A whole number, as JSON or as text: digits alone. */
function secondsOf(given: unknown): number | undefined {
  const text = typeof given === 'number' ? String(given) : given;
  return typeof text === 'string' && /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function readName(metadata: Readonly<Record<string, unknown>>, field: 'track_name' | 'artist_name'): string {
  const given = metadata[field];
  if (given === undefined) refuse(`JSON document does not contain required track_metadata.${field}.`);
  if (typeof given !== 'string') refuse(`${field} must be a single string.`);
  const name = clean(given);
  // Check the received text before white space is collapsed, and the stored text, which composition may have made
  // longer.
  const problem = nameProblem(given) ?? nameProblem(name);
  if (problem) refuse(`required field track_metadata.${field} ${nameRefusals[problem]}.`);
  return name;
}

const nameRefusals: Readonly<Record<TextProblem, string>> = {
  missing: 'is empty',
  control_character: 'holds a control character, a line separator or an unpaired surrogate',
  too_long: `has more than ${rules.text.nameMaxLength} characters`,
};

function checkTags(tags: unknown): void {
  if (tags === undefined || tags === null) return;
  if (!Array.isArray(tags))
    refuse('JSON document may not contain track_metadata.additional_info.tags that is no list.');
  if (tags.length > mostTags) {
    refuse(`JSON document may not contain more than ${mostTags} items in track_metadata.additional_info.tags.`);
  }
  if (tags.some((tag) => typeof tag !== 'string' || tag.length > mostTagLength)) {
    refuse(
      `JSON document may not contain track_metadata.additional_info.tags longer than ${mostTagLength} characters.`,
    );
  }
}

function readRecordingId(given: unknown): string | undefined {
  if (given === undefined || given === null || given === '') return undefined;
  const id = z.guid().safeParse(given);
  if (!id.success) return refuse('recording_mbid MBID format invalid.');
  return id.data.toLowerCase();
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuse(message: string): never {
  throw new ScrobbleError(400, message);
}
