import { z } from 'zod';
import { acceptedId as id } from './texts.ts';

/** The event shapes on Kafka: contracts/events.json in zod, which a test holds to it. */

const isoTimestamp = z.iso.datetime({ offset: true });
const listenTime = isoTimestamp.meta({
  format: 'listen-time',
  description:
    'ISO 8601; UTC where it names no zone; from 2002-10-01 to an hour after the request. The pattern lists past months alone.',
});
const untilTime = isoTimestamp.meta({ format: 'any-time', description: 'ISO 8601; UTC where it names no zone' });

/** What a client may post: one listen; a missing event_id is made by the API. */
export const listeningEventInput = z.strictObject({
  event_id: id.optional(),
  user_id: id,
  track_id: id,
  event_type: z.enum(['complete_listen', 'like', 'skip']),
  timestamp: listenTime.optional(),
});

/** Topic user_listening_history, keyed by user_id. */
export const listeningEvent = z.object({
  schema_version: z.literal(1),
  event_id: id,
  user_id: id,
  track_id: id,
  event_type: z.enum(['complete_listen', 'like', 'skip']),
  timestamp: isoTimestamp,
  received_at: isoTimestamp,
  title: z.string().max(1000).nullish(),
  artist_name: z.string().max(1000).nullish(),
});

/** Topic music_recommendations, keyed by user_id: one per answer of GET /recommendations/:userId, whose id it carries. */
export const recommendationEvent = z.object({
  schema_version: z.literal(1),
  event_id: id,
  user_id: id,
  tier: z.enum(['personal', 'cold_start', 'trending']),
  model_version: z.string(),
  track_ids: z.array(z.string()),
  reason_types: z.array(z.string()).nullish(),
  served_at: isoTimestamp,
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
  at: isoTimestamp,
});

const feedback = z.enum(['love', 'hate', 'hide']);

/** What a client may post to /feedback. */
export const feedbackInput = z.strictObject({
  user_id: id,
  track_id: id,
  feedback,
  until: untilTime.nullish(),
});

/** Topic user_feedback (compacted), keyed by user_id and track_id: the newest says what holds. */
export const feedbackEvent = z.object({
  schema_version: z.literal(1),
  event_id: id,
  user_id: id,
  track_id: id,
  feedback,
  until: isoTimestamp.nullish(),
  at: isoTimestamp,
});

export type ListeningEventInput = z.infer<typeof listeningEventInput>;
export type ListeningEvent = z.infer<typeof listeningEvent>;
export type RecommendationEvent = z.infer<typeof recommendationEvent>;
export type PipelineEvent = z.infer<typeof pipelineEvent>;
export type FeedbackInput = z.infer<typeof feedbackInput>;
export type FeedbackEvent = z.infer<typeof feedbackEvent>;
