import type { RecommendationEvent } from '../../contracts/schemas/events.ts';
import type { RecommendationAnswer } from '../recommend.ts';

/** The event of an answer. Its id is the recommendation_id of the answer. */
export function toRecommendationEvent(id: string, answer: RecommendationAnswer, now: Date): RecommendationEvent {
  return {
    schema_version: 1,
    event_id: id,
    user_id: answer.user_id,
    tier: answer.tier,
    model_version: answer.model_version,
    track_ids: answer.items.map((item) => item.track_id),
    reason_types: answer.items.map((item) => item.reason.type),
    served_at: now.toISOString(),
  };
}
