import type { RecommendationEvent } from '../contracts/schemas/events.ts';
import { reasonOf, type Reason } from './reasons.ts';
import type { Snapshot, Track } from './snapshot/snapshot.ts';

/** Whose list is asked for, how long, and which tracks must not be in it (hidden, hated, just heard). */
export interface RecommendationRequest {
  readonly userId: string;
  readonly limit: number;
  readonly isExcluded?: (trackId: string) => boolean;
}

/** One recommended track as the API answers it. */
export interface RecommendedItem {
  readonly track_id: string;
  readonly title: string;
  readonly artist_name: string;
  readonly genre: string | null;
  readonly score: number;
  /** Place in this answer, from 1: places of excluded tracks are closed up. */
  readonly rank: number;
  readonly reason: Reason;
}

/** The answer of GET /recommendations/:userId. */
export interface RecommendationAnswer {
  readonly user_id: string;
  readonly tier: RecommendationEvent['tier'];
  readonly model_version: string;
  readonly generated_at: string;
  readonly items: readonly RecommendedItem[];
}

/** What a user should hear next, of one snapshot; nothing but its arguments decides. */
export function recommend(snapshot: Snapshot, request: RecommendationRequest): RecommendationAnswer {
  const { modelVersion, generatedAt } = snapshot.manifest;
  const head = { user_id: request.userId, model_version: modelVersion, generated_at: generatedAt };
  const items = personalItems(snapshot, request);
  if (items) return { ...head, tier: 'personal', items };
  return { ...head, tier: 'trending', items: trendingItems(snapshot, request) };
}

/** Undefined for a user the model does not know. */
function personalItems(
  snapshot: Snapshot,
  { userId, limit, isExcluded }: RecommendationRequest,
): RecommendedItem[] | undefined {
  return snapshot.recommendations(userId, limit, isExcluded)?.map((entry, index) => {
    const cause = entry.reasonTrackId === null ? undefined : snapshot.track(entry.reasonTrackId);
    return toItem(entry.track, entry.score, index + 1, reasonOf(entry, cause));
  });
}

/** What many people listen to in the last week of the data. */
function trendingItems(snapshot: Snapshot, { limit, isExcluded }: RecommendationRequest): RecommendedItem[] {
  const lastWeek = snapshot.weeks.at(-1);
  const chart = (lastWeek === undefined ? undefined : snapshot.trending(lastWeek, limit, isExcluded)) ?? [];
  return chart.map(({ track, trendScore, uniqueListeners }, index) => {
    const text = `Trending: ${uniqueListeners} people listened to it in the week to ${lastWeek}`;
    return toItem(track, trendScore, index + 1, { type: 'trending', text });
  });
}

function toItem(track: Track, score: number, rank: number, reason: Reason): RecommendedItem {
  const { track_id, title, artist_name, genre } = track;
  return { track_id, title, artist_name, genre, score, rank, reason };
}
