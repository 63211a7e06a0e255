import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { ApiDeps } from '../deps.ts';
import { toRecommendationEvent } from '../events/recommendation-event.ts';
import { idParam, limitParam } from '../http/params.ts';
import { route, type Route } from '../http/route.ts';
import { rankedTrackShape } from '../http/shapes.ts';
import { recommend } from '../recommend.ts';
import { servedSnapshot } from '../served-snapshot.ts';

const recommendationsShape = z.object({
  recommendation_id: z.string(),
  user_id: z.string(),
  tier: z.enum(['personal', 'cold_start', 'trending']),
  model_version: z.string(),
  generated_at: z.string(),
  items: z.array(
    rankedTrackShape.extend({
      reason: z.object({ type: z.string(), text: z.string(), track_id: z.string().optional() }),
    }),
  ),
});

/** GET /recommendations/:userId: answers from memory, and sends an event to Kafka without waiting for it. */
export function recommendationRoutes(deps: ApiDeps): readonly Route[] {
  return [
    route(
      {
        method: 'get',
        path: '/recommendations/:userId',
        summary: 'What a user should hear next, and why',
        params: z.object({ userId: idParam }),
        query: z.object({ limit: limitParam(20) }),
        answers: { 200: { schema: recommendationsShape } },
        away: 'nothing_published',
      },
      ({ params: { userId }, query: { limit } }, res) => {
        const isExcluded = deps.view.exclusionsOf(userId);
        const answer = recommend(servedSnapshot(deps), { userId, limit, isExcluded });
        const recommendationId = randomUUID();
        deps.outbox.add({ key: userId, value: toRecommendationEvent(recommendationId, answer, deps.now()) });
        res.type('json').send(JSON.stringify({ recommendation_id: recommendationId, ...answer }));
      },
    ),
  ];
}
