import { randomUUID } from 'node:crypto';
import { Router } from 'express';
import { z } from 'zod';
import type { RecommendationEvent } from '../../contracts/schemas/events.ts';
import type { ApiDeps } from '../deps.ts';
import { idParam, limitParam, parseInput } from '../parse.ts';
import { reasonOf, type Reason } from '../reasons.ts';
import { servedSnapshot } from '../served-snapshot.ts';
import type { Snapshot, Track } from '../snapshot/snapshot.ts';

const request = z.object({ userId: idParam, limit: limitParam(20) });

/** One recommended track as the API answers it. */
export interface RecommendedItem {
  readonly track_id: string;
  readonly title: string;
  readonly artist_name: string;
  readonly genre: string | null;
  readonly score: number;
  readonly rank: number;
  readonly reason: Reason;
}

interface RecommendationAnswer {
  readonly user_id: string;
  readonly tier: RecommendationEvent['tier'];
  readonly model_version: string;
  readonly generated_at: string;
  readonly items: readonly RecommendedItem[];
}

/** GET /recommendations/:userId: from memory; puts one event on Kafka without waiting for it. */
export function recommendationRoutes(deps: ApiDeps): Router {
  return Router().get('/recommendations/:userId', (req, res) => {
    const { userId, limit } = parseInput(request, { ...req.params, ...req.query });
    const answer = recommend(servedSnapshot(deps), userId, limit);
    deps.outbox.add({ key: userId, value: toEvent(answer, deps.now()) });
    res.type('json').send(JSON.stringify(answer));
  });
}

function recommend(snapshot: Snapshot, userId: string, limit: number): RecommendationAnswer {
  const { modelVersion, generatedAt } = snapshot.manifest;
  const head = { user_id: userId, model_version: modelVersion, generated_at: generatedAt };
  const ranked = snapshot.recommendations(userId, limit);
  if (!ranked) return { ...head, tier: 'trending', items: trendingItems(snapshot, limit) };
  const items = ranked.map((entry) => {
    const cause = entry.reasonTrackId === null ? undefined : snapshot.track(entry.reasonTrackId);
    return toItem(entry.track, entry.score, entry.rank, reasonOf(entry, cause));
  });
  return { ...head, tier: 'personal', items };
}

/** For a user the model does not know: what many people listen to in the last week of the data. */
function trendingItems(snapshot: Snapshot, limit: number): RecommendedItem[] {
  const lastWeek = snapshot.weeks.at(-1);
  const chart = (lastWeek === undefined ? undefined : snapshot.trending(lastWeek, limit)) ?? [];
  return chart.map(({ track, trendScore, rank, uniqueListeners }) => {
    const text = `Trending: ${uniqueListeners} people listened to it in the week to ${lastWeek}`;
    return toItem(track, trendScore, rank, { type: 'trending', text });
  });
}

function toItem(track: Track, score: number, rank: number, reason: Reason): RecommendedItem {
  const { track_id, title, artist_name, genre } = track;
  return { track_id, title, artist_name, genre, score, rank, reason };
}

function toEvent(answer: RecommendationAnswer, now: Date): RecommendationEvent {
  return {
    schema_version: 1,
    event_id: randomUUID(),
    user_id: answer.user_id,
    tier: answer.tier,
    model_version: answer.model_version,
    track_ids: answer.items.map((item) => item.track_id),
    served_at: now.toISOString(),
  };
}
