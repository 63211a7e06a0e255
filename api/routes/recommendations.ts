import { randomUUID } from 'node:crypto';
import { Router } from 'express';
import { z } from 'zod';
import type { ApiDeps } from '../deps.ts';
import { toRecommendationEvent } from '../events/recommendation-event.ts';
import { idParam, limitParam, parseInput } from '../parse.ts';
import { recommend } from '../recommend.ts';
import { servedSnapshot } from '../served-snapshot.ts';

const request = z.object({ userId: idParam, limit: limitParam(20) });

/** GET /recommendations/:userId: from memory; puts one event on Kafka without waiting for it. */
export function recommendationRoutes(deps: ApiDeps): Router {
  return Router().get('/recommendations/:userId', (req, res) => {
    const { userId, limit } = parseInput(request, { ...req.params, ...req.query });
    const isExcluded = deps.view.exclusionsOf(userId);
    const answer = recommend(servedSnapshot(deps), { userId, limit, isExcluded });
    const recommendationId = randomUUID();
    deps.outbox.add({ key: userId, value: toRecommendationEvent(recommendationId, answer, deps.now()) });
    res.type('json').send(JSON.stringify({ recommendation_id: recommendationId, ...answer }));
  });
}
