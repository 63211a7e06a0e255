import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Feedback, ListenerView } from './view.ts';

/** One play of a listener, as the API tells of it. */
export interface HistoryItem {
  readonly track_id: string;
  readonly title: string;
  readonly artist_name: string;
  readonly genre: string | null;
  readonly event_type: string;
  readonly timestamp: string;
  /** What the listener said of the track, where it still holds. */
  readonly feedback: Feedback['feedback'] | null;
}

/** A listener's last plays, the newest first; undefined for one that nobody knows. */
export function historyOf(
  snapshot: Snapshot | undefined,
  view: ListenerView,
  userId: string,
  limit: number,
): readonly HistoryItem[] | undefined {
  const plays = view.plays(userId) ?? [];
  if (plays.length === 0 && !view.knows(userId) && !snapshot?.hasUser(userId)) return undefined;
  return plays.slice(0, limit).map(({ track_id, title, artist_name, event_type, timestamp }) => {
    const track = snapshot?.track(track_id);
    return {
      track_id,
      title: track?.title ?? title ?? track_id,
      artist_name: track?.artist_name ?? artist_name ?? '',
      genre: track?.genre ?? null,
      event_type,
      timestamp,
      feedback: view.feedbackOn(userId, track_id)?.feedback ?? null,
    };
  });
}
