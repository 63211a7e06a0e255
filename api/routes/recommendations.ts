import { randomUUID } from 'node:crypto';
import { Router } from 'express';
import { z } from 'zod';
import type { RecommendationEvent } from '../../contracts/schemas/events.ts';
import type { ApiDeps } from '../deps.ts';
import { idParam, limitParam, parseInput } from '../parse.ts';
import { recommend, type RecommendationAnswer } from '../recommend.ts';
import { servedSnapshot } from '../served-snapshot.ts';

const request = z.object({ userId: idParam, limit: limitParam(20) });

/** GET /recommendations/:userId: from memory; puts one event on Kafka without waiting for it. */
export function recommendationRoutes(deps: ApiDeps): Router {
  return Router().get('/recommendations/:userId', (req, res) => {
    const { userId, limit } = parseInput(request, { ...req.params, ...req.query });
    const isExcluded = deps.view.exclusionsOf(userId);
    const answer = recommend(servedSnapshot(deps), { userId, limit, isExcluded });
    const recommendationId = randomUUID();
    deps.outbox.add({ key: userId, value: toEvent(recommendationId, answer, deps.now()) });
    res.type('json').send(JSON.stringify({ recommendation_id: recommendationId, ...answer }));
  });
}

function toEvent(id: string, answer: RecommendationAnswer, now: Date): RecommendationEvent {
  return {
    schema_version: 1,
    event_id: id,
    user_id: answer.user_id,
    tier: answer.tier,
    model_version: answer.model_version,
    track_ids: answer.items.map((item) => item.track_id),
    served_at: now.toISOString(),
  };
}
