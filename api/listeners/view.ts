import { LRUCache } from 'lru-cache';
import { rules } from '../../contracts/acceptance/rules.ts';
import { parseTime, rangeProblem, timeRange } from '../../contracts/acceptance/time.ts';
import type { FeedbackEvent, ListeningEvent } from '../../contracts/schemas/events.ts';

/** Plays remembered of each listener. */
export const rememberedPlays = 50;
/**
 * The most listeners with remembered plays. The least recently active listener is dropped first. At most about 300 MB
 * of plays.
 */
const rememberedListeners = 20_000;
/** A track that was played is left out of answers for this long, as long as it is among the remembered plays. */
export const recentMs = 24 * 60 * 60 * 1000;

/** A play of a listener, as the client posted it. */
export type Play = Pick<
  ListeningEvent,
  'event_id' | 'track_id' | 'event_type' | 'timestamp' | 'title' | 'artist_name'
> & { readonly playedAtMs: number; readonly receivedAtMs: number };

/** A listener's feedback on a track, and the end of its validity. */
export interface Feedback {
  readonly feedback: FeedbackEvent['feedback'];
  readonly until: string | null;
  readonly at: string;
}

/**
 * The process's knowledge of listeners beyond the snapshot: their last plays and their feedback, from its own requests
 * and from Kafka. A new process rebuilds the view from Kafka. The same event twice changes nothing. The view ignores
 * events of foreign producers with a time outside the range, because such an event would stay before all later events.
 * The number of plays is bounded. The view keeps feedback while it is valid, about 200 bytes each, because feedback
 * must not be lost.
 */
export class ListenerView {
  /** The predicate of users whose events the view ignores. */
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

  /** Takes back a listener's feedback on a track: the record was deleted from the topic. */
  dropFeedback(userId: string, trackId: string): void {
    const tracks = this.#feedback.get(userId);
    tracks?.delete(trackId);
    if (tracks?.size === 0) this.#feedback.delete(userId);
  }

  /** Drops all data of a listener who asked to be forgotten. */
  forget(userId: string): void {
    this.#plays.delete(userId);
    this.#feedback.delete(userId);
  }

  /** Drops all data of the users for whom the predicate is true. */
  forgetWhere(isForgotten: (userId: string) => boolean): void {
    for (const userId of [...this.#plays.keys(), ...this.#feedback.keys()]) {
      if (isForgotten(userId)) this.forget(userId);
    }
  }

  /** A listener's remembered plays, newest first. Undefined for a listener without plays. */
  plays(userId: string): readonly Play[] | undefined {
    return this.#plays.get(userId);
  }

  knows(userId: string): boolean {
    return this.#plays.has(userId) || this.#feedback.has(userId);
  }

  /** A listener's feedback on a track, if it is still valid. */
  feedbackOn(userId: string, trackId: string): Feedback | undefined {
    const found = this.#feedback.get(userId)?.get(trackId);
    if (!found) return undefined;
    const isOver = found.until !== null && msOf(found.until) <= this.#now().getTime();
    return isOver ? undefined : found;
  }

  /** The tracks that the API must not recommend to a listener now: hidden tracks, hated tracks, and recent plays. */
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

/** For a time that the schema has checked. */
function msOf(time: string): number {
  return parseTime(time) ?? Number.NaN;
}
