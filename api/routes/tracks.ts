import { Router } from 'express';
import { z } from 'zod';
import type { ApiDeps } from '../deps.ts';
import { idParam, limitParam, parseInput } from '../parse.ts';
import { Problem } from '../problems.ts';
import { servedSnapshot } from '../served-snapshot.ts';

const similarRequest = z.object({ trackId: idParam, limit: limitParam(20) });
const searchRequest = z.object({
  query: z.string().trim().max(200).default(''),
  limit: limitParam(20),
  offset: z.coerce.number().int().min(0).max(100_000).default(0),
});
const trendingRequest = z.object({ week: z.iso.date().optional(), limit: limitParam(50) });

/** GET /tracks, /tracks/:trackId/similar and /trending: from memory. */
export function trackRoutes(deps: ApiDeps): Router {
  const router = Router();
  router.get('/tracks', (req, res) => {
    const { query, limit, offset } = parseInput(searchRequest, req.query);
    const { total, tracks } = servedSnapshot(deps).search(query, limit, offset);
    res.json({ query, total, offset, items: tracks });
  });
  router.get('/tracks/:trackId/similar', (req, res) => {
    const { trackId, limit } = parseInput(similarRequest, { ...req.params, ...req.query });
    const snapshot = servedSnapshot(deps);
    const track = snapshot.track(trackId);
    if (!track)
      throw new Problem('unknown_track', { detail: `No track ${trackId}; GET /tracks?query= finds tracks by title` });
    const items = snapshot
      .similar(trackId, limit)
      .map((entry) => ({ ...entry.track, score: entry.score, rank: entry.rank }));
    res.json({ track, model_version: snapshot.manifest.modelVersion, items });
  });
  router.get('/trending', (req, res) => {
    const { week, limit } = parseInput(trendingRequest, req.query);
    const snapshot = servedSnapshot(deps);
    const weekEnd = week ?? snapshot.currentWeek;
    const chart = weekEnd === undefined ? undefined : snapshot.trending(weekEnd, limit);
    if (!chart) {
      const detail =
        snapshot.weeks.length > 0
          ? `There are charts for the weeks to ${snapshot.weeks.join(', ')}`
          : 'There is no chart yet: nobody has listened to anything';
      throw new Problem('unknown_week', { detail });
    }
    const items = chart.map(({ track, rank, listenCount, uniqueListeners, trendScore, previousRank }) => ({
      ...track,
      rank,
      listen_count: listenCount,
      unique_listeners: uniqueListeners,
      trend_score: trendScore,
      previous_rank: previousRank,
    }));
    res.json({ week_end: weekEnd, weeks: snapshot.weeks, items });
  });
  return router;
}
