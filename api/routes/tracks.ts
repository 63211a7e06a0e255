import { z } from 'zod';
import type { ApiDeps } from '../deps.ts';
import { idParam, integerParam, limitParam } from '../http/params.ts';
import { route, type Route } from '../http/route.ts';
import { rankedTrackShape, trackShape } from '../http/shapes.ts';
import { Problem } from '../problems.ts';
import { servedSnapshot } from '../served-snapshot.ts';

const mostQueryCharacters = 200;
const searchQuery = z.object({
  query: z
    .string()
    .refine(
      (text) => Array.from(text).length <= mostQueryCharacters,
      `must have at most ${mostQueryCharacters} characters`,
    )
    .meta({ maxLength: mostQueryCharacters })
    .transform((text) => text.trim())
    .default(''),
  limit: limitParam(20),
  offset: integerParam({ min: 0, max: 100_000, otherwise: 0 }),
});
const chartShape = z.object({
  week_end: z.string(),
  weeks: z.array(z.string()),
  items: z.array(
    trackShape.extend({
      rank: z.number().int(),
      listen_count: z.number().int(),
      unique_listeners: z.number().int(),
      trend_score: z.number(),
      previous_rank: z.number().int().nullable(),
    }),
  ),
});

/** GET /tracks, /tracks/:trackId/similar and /trending: from memory. */
export function trackRoutes(deps: ApiDeps): readonly Route[] {
  return [searchRoute(deps), similarRoute(deps), trendingRoute(deps)];
}

function searchRoute(deps: ApiDeps): Route {
  return route(
    {
      method: 'get',
      path: '/tracks',
      summary: 'Find tracks by title and artist',
      query: searchQuery,
      answers: {
        200: {
          schema: z.object({
            query: z.string(),
            total: z.number().int(),
            offset: z.number().int(),
            items: z.array(trackShape),
          }),
        },
      },
      away: 'nothing_published',
    },
    ({ query: { query, limit, offset } }, res) => {
      const { total, tracks } = servedSnapshot(deps).search(query, limit, offset);
      res.json({ query, total, offset, items: tracks });
    },
  );
}

function similarRoute(deps: ApiDeps): Route {
  return route(
    {
      method: 'get',
      path: '/tracks/:trackId/similar',
      summary: 'Tracks like this one',
      params: z.object({ trackId: idParam }),
      query: z.object({ limit: limitParam(20) }),
      answers: {
        200: { schema: z.object({ track: trackShape, model_version: z.string(), items: z.array(rankedTrackShape) }) },
      },
      away: 'nothing_published',
    },
    ({ params: { trackId }, query: { limit } }, res) => {
      const snapshot = servedSnapshot(deps);
      const track = snapshot.track(trackId);
      if (!track)
        throw new Problem('unknown_track', { detail: `No track ${trackId}; GET /tracks?query= finds tracks by title` });
      const items = snapshot
        .similar(trackId, limit)
        .map((entry) => ({ ...entry.track, score: entry.score, rank: entry.rank }));
      res.json({ track, model_version: snapshot.manifest.modelVersion, items });
    },
  );
}

function trendingRoute(deps: ApiDeps): Route {
  return route(
    {
      method: 'get',
      path: '/trending',
      summary: 'The chart of a week of the data',
      query: z.object({ week: z.iso.date().optional(), limit: limitParam(50) }),
      answers: { 200: { schema: chartShape } },
      away: 'nothing_published',
    },
    ({ query: { week, limit } }, res) => {
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
    },
  );
}
