import { LRUCache } from 'lru-cache';
import { rules } from '../../contracts/acceptance/rules.ts';
import { parseTime, rangeProblem, timeRange } from '../../contracts/acceptance/time.ts';
import type { FeedbackEvent, ListeningEvent } from '../../contracts/schemas/events.ts';

/** Plays remembered of each listener. */
export const rememberedPlays = 50;
/** Listeners whose plays are remembered; the one who was longest away goes first. At most about 300 MB of plays. */
const rememberedListeners = 20_000;
/** A track that was played is left out of answers for this long, as long as it is among the remembered plays. */
export const recentMs = 24 * 60 * 60 * 1000;

/** One play of a listener, as it was posted. */
export type Play = Pick<
  ListeningEvent,
  'event_id' | 'track_id' | 'event_type' | 'timestamp' | 'title' | 'artist_name'
> & { readonly playedAtMs: number; readonly receivedAtMs: number };

/** What a listener said of a track, and until when it holds. */
export interface Feedback {
  readonly feedback: FeedbackEvent['feedback'];
  readonly until: string | null;
  readonly at: string;
}

/**
 * What this process knows of listeners beyond the snapshot: their last plays and their feedback, from the requests it answered
 * and from Kafka, where it is rebuilt from at a start. Taking an event twice changes nothing. An event of other producers whose
 * times lie outside the range is not taken: it would stand before everything that comes later. Plays are bounded; feedback is
 * kept as long as it holds, about 200 bytes each, for it must never be forgotten.
 */
export class ListenerView {
  /** Whose events are not taken any more. */
  readonly isForgotten: (userId: string) => boolean;
  readonly #plays = new LRUCache<string, readonly Play[]>({ max: rememberedListeners });
  readonly #feedback = new Map<string, Map<string, Feedback>>();
  readonly #now: () => Date;
  readonly #earliest: string;

  /** `earliest` is the earliest time of a listen that is taken. */
  constructor(now: () => Date, isForgotten: (userId: string) => boolean = () => false, earliest = rules.time.earliest) {
    this.#now = now;
    this.isForgotten = isForgotten;
    this.#earliest = earliest;
  }

  /** Listeners with remembered plays, and pieces of feedback: for the metrics. */
  get size(): { readonly listeners: number; readonly feedback: number } {
    const feedback = [...this.#feedback.values()].reduce((sum, tracks) => sum + tracks.size, 0);
    return { listeners: this.#plays.size, feedback };
  }

  takeListen(event: ListeningEvent): void {
    if (this.isForgotten(event.user_id)) return;
    const known = this.#plays.get(event.user_id) ?? [];
    if (known.some((play) => play.event_id === event.event_id)) return;
    const play = toPlay(event);
    if (!this.#isWithin(play.playedAtMs) || !this.#isWithin(play.receivedAtMs)) return;
    const at = known.findIndex(({ playedAtMs }) => playedAtMs <= play.playedAtMs);
    const plays = known.toSpliced(at === -1 ? known.length : at, 0, play);
    if (plays.length > rememberedPlays) plays.pop();
    this.#plays.set(event.user_id, plays);
  }

  takeFeedback(event: FeedbackEvent): void {
    if (this.isForgotten(event.user_id)) return;
    const tracks = this.#feedback.get(event.user_id) ?? new Map<string, Feedback>();
    const known = tracks.get(event.track_id);
    const saidAtMs = msOf(event.at);
    if (!this.#isWithin(saidAtMs) || (known && msOf(known.at) > saidAtMs)) return;
    const { feedback, until = null, at } = event;
    tracks.set(event.track_id, { feedback, until, at });
    this.#feedback.set(event.user_id, tracks);
  }

  /** Takes back what a listener said of a track: its record was deleted from the topic. */
  dropFeedback(userId: string, trackId: string): void {
    const tracks = this.#feedback.get(userId);
    tracks?.delete(trackId);
    if (tracks?.size === 0) this.#feedback.delete(userId);
  }

  /** Everything about a listener who asked to be forgotten. */
  forget(userId: string): void {
    this.#plays.delete(userId);
    this.#feedback.delete(userId);
  }

  /** The same for everybody of whom it is true. */
  forgetWhere(isForgotten: (userId: string) => boolean): void {
    for (const userId of [...this.#plays.keys(), ...this.#feedback.keys()]) {
      if (isForgotten(userId)) this.forget(userId);
    }
  }

  /** A listener's remembered plays, the newest first; undefined for one who has none. */
  plays(userId: string): readonly Play[] | undefined {
    return this.#plays.get(userId);
  }

  knows(userId: string): boolean {
    return this.#plays.has(userId) || this.#feedback.has(userId);
  }

  /** What a listener said of a track, if it still holds. */
  feedbackOn(userId: string, trackId: string): Feedback | undefined {
    const found = this.#feedback.get(userId)?.get(trackId);
    if (!found) return undefined;
    const isOver = found.until !== null && msOf(found.until) <= this.#now().getTime();
    return isOver ? undefined : found;
  }

  /** Which tracks must not be recommended to a listener now: hidden and hated ones, and those just heard. */
  exclusionsOf(userId: string): (trackId: string) => boolean {
    const since = this.#now().getTime() - recentMs;
    const plays = this.#plays.get(userId) ?? [];
    const heard = new Set(plays.flatMap((play) => (play.receivedAtMs > since ? [play.track_id] : [])));
    return (trackId) => {
      if (heard.has(trackId)) return true;
      const said = this.feedbackOn(userId, trackId);
      return said !== undefined && said.feedback !== 'love';
    };
  }

  #isWithin(ms: number): boolean {
    return rangeProblem(ms, timeRange(this.#earliest, this.#now())) === undefined;
  }
}

function toPlay({ event_id, track_id, event_type, timestamp, received_at, title, artist_name }: ListeningEvent): Play {
  const playedAtMs = msOf(timestamp);
  const receivedAtMs = msOf(received_at);
  return { event_id, track_id, event_type, timestamp, title, artist_name, playedAtMs, receivedAtMs };
}

/** Of a time that its schema has seen to be one. */
function msOf(time: string): number {
  return parseTime(time) ?? Number.NaN;
}
