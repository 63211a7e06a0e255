import { z } from 'zod';
import { eventTypes } from '../acceptance/rules.ts';
import { isBlank } from '../acceptance/text.ts';
import type { TimeRange } from '../acceptance/time.ts';
import { id, listenTime, name, time, untilTime } from './acceptance.ts';

/** The event shapes on Kafka: contracts/events.json in zod, which a test holds to it. */

/** A listen that a client may post. The API makes a missing event_id. This schema does not limit the time. */
export const listeningEventInput = z.strictObject({
  event_id: id.optional(),
  user_id: id,
  track_id: id,
  event_type: z.enum(eventTypes),
  timestamp: time.optional(),
});

/** The same with a time in a range, which is asked for at every listen: it moves with the clock. */
export function listeningEventInputWithin(range: () => TimeRange): typeof listeningEventInput {
  return listeningEventInput.extend({ timestamp: listenTime(range).optional() });
}

/** A name that may be left out: empty or blank is as good as absent. */
const optionalName = z.union([name, z.string().refine(isBlank)]).nullish();

/** Topic user_listening_history, keyed by user_id. Its readers hold its time to the range when they take it. */
export const listeningEvent = z.object({
  schema_version: z.literal(1),
  event_id: id,
  user_id: id,
  track_id: id,
  event_type: z.enum(eventTypes),
  timestamp: time,
  received_at: time,
  title: optionalName,
  artist_name: optionalName,
});

/**
 * Topic music_recommendations, keyed by user_id: an event per answer of GET /recommendations/:userId, with the id of
 * the answer.
 */
export const recommendationEvent = z.object({
  schema_version: z.literal(1),
  event_id: id,
  user_id: id,
  tier: z.enum(['personal', 'cold_start', 'trending']),
  model_version: z.string(),
  track_ids: z.array(z.string()),
  reason_types: z.array(z.string()).nullish(),
  served_at: time,
});

/** Topic pipeline_events: a step of a run, or a publication. */
export const pipelineEvent = z.object({
  schema_version: z.literal(1),
  event_id: id,
  workflow_id: z.string(),
  run_id: z.string(),
  workflow_type: z.string(),
  stage: z.string(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  at: time,
});

const feedback = z.enum(['love', 'hate', 'hide']);

/** The body of POST /feedback. */
export const feedbackInput = z.strictObject({
  user_id: id,
  track_id: id,
  feedback,
  until: time.nullish(),
});

/** The same with an `until` that is not before the range. */
export function feedbackInputWithin(range: () => TimeRange): typeof feedbackInput {
  return feedbackInput.extend({ until: untilTime(range).nullish() });
}

/** Topic user_feedback (compacted), keyed by user_id and track_id: the newest record is valid. */
export const feedbackEvent = z.object({
  schema_version: z.literal(1),
  event_id: id,
  user_id: id,
  track_id: id,
  feedback,
  until: time.nullish(),
  at: time,
});

export type ListeningEventInput = z.infer<typeof listeningEventInput>;
export type ListeningEvent = z.infer<typeof listeningEvent>;
export type RecommendationEvent = z.infer<typeof recommendationEvent>;
export type PipelineEvent = z.infer<typeof pipelineEvent>;
export type FeedbackInput = z.infer<typeof feedbackInput>;
export type FeedbackEvent = z.infer<typeof feedbackEvent>;
