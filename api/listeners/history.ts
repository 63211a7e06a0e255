import { parseTime } from '../../contracts/acceptance/time.ts';
import type { PastPlay, Snapshot } from '../snapshot/snapshot.ts';
import type { Feedback, ListenerView, Play } from './view.ts';

/** A play of a listener in the API's format. */
export interface HistoryItem {
  readonly track_id: string;
  readonly title: string;
  readonly artist_name: string;
  readonly genre: string | null;
  readonly event_type: string;
  readonly timestamp: string;
  /** The listener's feedback on the track, if it is still valid. */
  readonly feedback: Feedback['feedback'] | null;
}

/** A listener's last plays from live events and from the lake, newest first. Undefined for an unknown listener. */
export function historyOf(
  snapshot: Snapshot | undefined,
  view: ListenerView,
  userId: string,
  limit: number,
): readonly HistoryItem[] | undefined {
  if (!view.knows(userId) && !snapshot?.hasUser(userId)) return undefined;
  return lastPlays(snapshot, view, userId)
    .slice(0, limit)
    .map(({ track_id, event_type, timestamp, title, artist_name }) => {
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

type AnyPlay = PastPlay & Partial<Pick<Play, 'title' | 'artist_name'>>;

/** A live play is in the lake too once it was refreshed: it counts once. */
function lastPlays(snapshot: Snapshot | undefined, view: ListenerView, userId: string): readonly AnyPlay[] {
  const live = view.plays(userId) ?? [];
  const ids = new Set(live.map((play) => play.event_id));
  const past = (snapshot?.history(userId) ?? []).filter((play) => !ids.has(play.event_id));
  return [...live, ...past].toSorted((one, other) => timeOf(other) - timeOf(one));
}

function timeOf({ timestamp }: AnyPlay): number {
  return parseTime(timestamp) ?? 0;
}
