import type { RecommendationEvent } from '../contracts/schemas/events.ts';
import { reasonOf, type Reason } from './reasons.ts';
import type { Snapshot, Track, TrendingTrack } from './snapshot/snapshot.ts';

/** The request for a list: the user, the length, and the excluded tracks (hidden, hated, recently heard). */
export interface RecommendationRequest {
  readonly userId: string;
  readonly limit: number;
  readonly isExcluded?: (trackId: string) => boolean;
}

/** A recommended track in the API's format. */
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

/** So often may an artist stand in a list that is made of the chart. */
const mostPerArtist = 2;
const chartSize = 200;

/**
 * The next tracks for a user, from a snapshot; a pure function of its arguments. `personal`: a list by the model.
 * `cold_start`: the model knows little about the user, or only the preferred genres. `trending`: the user is unknown.
 */
export function recommend(snapshot: Snapshot, request: RecommendationRequest): RecommendationAnswer {
  const { modelVersion, generatedAt } = snapshot.manifest;
  const head = { user_id: request.userId, model_version: modelVersion, generated_at: generatedAt };
  const listener = snapshot.listener(request.userId);
  const items = listedItems(snapshot, request);
  if (items) return { ...head, tier: listener?.tier ?? 'personal', items };
  const tier = listener ? 'cold_start' : 'trending';
  return { ...head, tier, items: chartItems(snapshot, request, listener?.genres ?? []) };
}

/** Undefined for a user the model has no list for. */
function listedItems(
  snapshot: Snapshot,
  { userId, limit, isExcluded }: RecommendationRequest,
): RecommendedItem[] | undefined {
  return snapshot.recommendations(userId, limit, isExcluded)?.map((entry, index) => {
    const cause = entry.reasonTrackId === null ? undefined : snapshot.track(entry.reasonTrackId);
    return toItem(entry.track, entry.score, index + 1, reasonOf(entry, cause));
  });
}

/** The popular tracks of the data's last week: first the tracks of the preferred genres, then the rest of the chart. */
function chartItems(
  snapshot: Snapshot,
  { limit, isExcluded }: RecommendationRequest,
  genres: readonly string[],
): RecommendedItem[] {
  const week = snapshot.currentWeek;
  const chart = (week === undefined ? undefined : snapshot.trending(week, chartSize, isExcluded)) ?? [];
  const isPreferred = ({ track }: TrendingTrack): boolean => track.genre !== null && genres.includes(track.genre);
  const ordered = [...chart.filter(isPreferred), ...chart.filter((entry) => !isPreferred(entry))];
  return varied(ordered, limit).map((entry, index) => {
    const { track, trendScore } = entry;
    return toItem(track, trendScore, index + 1, chartReason(entry, isPreferred(entry), week));
  });
}

/**
 * The first `limit` tracks. Further tracks of an artist with many tracks in the list come only if no other track is
 * left.
 */
function varied(chart: readonly TrendingTrack[], limit: number): readonly TrendingTrack[] {
  const first: TrendingTrack[] = [];
  const later: TrendingTrack[] = [];
  const placed = new Map<string, number>();
  for (const entry of chart) {
    const artist = entry.track.artist_name || entry.track.track_id;
    const count = placed.get(artist) ?? 0;
    placed.set(artist, count + 1);
    (count < mostPerArtist ? first : later).push(entry);
  }
  return [...first, ...later].slice(0, limit);
}

function chartReason(
  { track, uniqueListeners }: TrendingTrack,
  isPreferred: boolean,
  week: string | undefined,
): Reason {
  if (isPreferred) return { type: 'trending_in_genre', text: `Trending in ${track.genre}, one of your genres` };
  const listeners = uniqueListeners === 1 ? '1 person' : `${uniqueListeners} people`;
  return { type: 'trending', text: `Trending: ${listeners} listened to it in the week to ${week}` };
}

function toItem(track: Track, score: number, rank: number, reason: Reason): RecommendedItem {
  const { track_id, title, artist_name, genre } = track;
  return { track_id, title, artist_name, genre, score, rank, reason };
}
