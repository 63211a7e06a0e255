import { OpenAPIRegistry, OpenApiGeneratorV31, type ResponseConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { feedbackInput, listeningEventInput } from '../contracts/schemas/events.ts';
import { weeklyDecisionInput } from '../contracts/schemas/weekly.ts';
import { problems, type ProblemCode } from './problems.ts';

const id = z.string().min(1).max(200);
const limit = z.number().int().min(1).max(100).optional();
const track = z.object({
  track_id: z.string(),
  title: z.string(),
  artist_name: z.string(),
  genre: z.string().nullable(),
});
const rankedTrack = track.extend({ score: z.number(), rank: z.number().int() });
const reason = z.object({ type: z.string(), text: z.string(), track_id: z.string().optional() });
const recommendations = z.object({
  recommendation_id: z.string(),
  user_id: z.string(),
  tier: z.enum(['personal', 'cold_start', 'trending']),
  model_version: z.string(),
  generated_at: z.string(),
  items: z.array(rankedTrack.extend({ reason })),
});
const chart = z.object({
  week_end: z.string(),
  weeks: z.array(z.string()),
  items: z.array(
    track.extend({
      rank: z.number().int(),
      listen_count: z.number().int(),
      unique_listeners: z.number().int(),
      trend_score: z.number(),
      previous_rank: z.number().int().nullable(),
    }),
  ),
});
const run = z.object({
  workflow_id: z.string(),
  run_id: z.string(),
  type: z.string(),
  status: z.string(),
  started_at: z.string(),
  closed_at: z.string().nullable(),
  progress: z.record(z.string(), z.unknown()).nullable(),
});
const models = z.object({
  served: z.string().nullable(),
  items: z.array(
    z.object({
      model_version: z.string(),
      recorded_at: z.string(),
      promoted: z.boolean(),
      why: z.string(),
      measures: z.record(z.string(), z.number()),
      can_be_served: z.boolean(),
      is_served: z.boolean(),
    }),
  ),
  history: z.array(
    z.object({ model_version: z.string(), published_at: z.string(), by: z.enum(['refresh', 'rollback']) }),
  ),
});
const problem = z.object({
  type: z.string(),
  code: z.enum(Object.keys(problems) as [string, ...string[]]),
  status: z.number().int(),
  title: z.string(),
  detail: z.string().optional(),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  request_id: z.string().optional(),
});

const scrobbleError = z.object({ code: z.number().int(), error: z.string() });
const retryAfter = z.object({
  'Retry-After': z.number().int().meta({ description: 'seconds until it is worth asking again' }),
});

interface Operation {
  readonly method: 'get' | 'post' | 'delete';
  readonly path: string;
  readonly summary: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly status?: number;
  readonly answer?: z.ZodType;
  /** Of the answer, where it is not JSON. */
  readonly mediaType?: string;
  /** Why it may answer 503 with Retry-After. */
  readonly away?: ProblemCode;
  /** What it answers with 503 where that is no problem. */
  readonly answer503?: z.ZodType;
  readonly needsToken?: boolean;
  /** A listener's token, as ListenBrainz's API takes it. */
  readonly needsListenerToken?: boolean;
  /** Where errors are told in ListenBrainz's way. */
  readonly isListenBrainz?: boolean;
}

const readiness = z.object({
  status: z.enum(['ready', 'not ready']),
  checks: z.object({
    accepting: z.boolean(),
    snapshot: z.boolean(),
    kafka: z.boolean(),
    view: z.boolean(),
    feed: z.boolean(),
  }),
  reason: z.string().optional(),
});
const scrobble = z.object({
  listened_at: z.number().int().optional(),
  track_metadata: z.object({
    artist_name: z.string(),
    track_name: z.string(),
    release_name: z.string().optional(),
    additional_info: z.record(z.string(), z.unknown()).optional(),
  }),
});

const operations: readonly Operation[] = [
  {
    method: 'post',
    path: '/1/submit-listens',
    summary: 'Scrobble, as ListenBrainz takes it',
    body: z.object({
      listen_type: z.enum(['single', 'playing_now', 'import']),
      payload: z.array(scrobble).min(1).max(1000),
    }),
    answer: z.object({ status: z.literal('ok') }),
    away: 'kafka_away',
    needsListenerToken: true,
    isListenBrainz: true,
  },
  {
    method: 'get',
    path: '/1/validate-token',
    summary: 'Whether a listener’s token holds, and whose it is',
    query: z.object({ token: z.string().optional() }),
    answer: z.object({
      code: z.number().int(),
      message: z.string(),
      valid: z.boolean(),
      user_name: z.string().optional(),
    }),
    isListenBrainz: true,
  },
  {
    method: 'get',
    path: '/1/cf/recommendation/user/{user}/recording',
    summary: 'A listener’s recommendations, as ListenBrainz tells them; 204 when there are none yet',
    params: z.object({ user: id }),
    query: z.object({ count: z.number().int().optional(), offset: z.number().int().optional() }),
    answer: z.object({
      payload: z.object({
        mbids: z.array(
          z.object({ recording_mbid: z.string(), score: z.number(), latest_listened_at: z.string().nullable() }),
        ),
        entity: z.literal('recording'),
        user_name: z.string(),
        last_updated: z.number().int(),
        count: z.number().int(),
        total_mbid_count: z.number().int(),
        offset: z.number().int(),
      }),
    }),
    away: 'nothing_published',
    isListenBrainz: true,
  },
  {
    method: 'get',
    path: '/recommendations/{userId}',
    summary: 'What a user should hear next, and why',
    params: z.object({ userId: id }),
    query: z.object({ limit }),
    answer: recommendations,
    away: 'nothing_published',
  },
  {
    method: 'get',
    path: '/tracks',
    summary: 'Find tracks by title and artist',
    query: z.object({ query: z.string().max(200).optional(), limit, offset: z.number().int().min(0).optional() }),
    answer: z.object({ query: z.string(), total: z.number().int(), offset: z.number().int(), items: z.array(track) }),
    away: 'nothing_published',
  },
  {
    method: 'get',
    path: '/tracks/{trackId}/similar',
    summary: 'Tracks like this one',
    params: z.object({ trackId: id }),
    query: z.object({ limit }),
    answer: z.object({ track, model_version: z.string(), items: z.array(rankedTrack) }),
    away: 'nothing_published',
  },
  {
    method: 'get',
    path: '/trending',
    summary: 'The chart of a week of the data',
    query: z.object({ week: z.iso.date().optional(), limit }),
    answer: chart,
    away: 'nothing_published',
  },
  {
    method: 'post',
    path: '/ingest/listening-event',
    summary: 'Post one listen or up to 1,000',
    body: z.union([listeningEventInput, z.array(listeningEventInput).min(1).max(1000)]),
    status: 202,
    answer: z.object({ accepted: z.number().int(), event_ids: z.array(z.string()) }),
    away: 'kafka_away',
    needsToken: true,
  },
  {
    method: 'get',
    path: '/events/stream',
    summary: 'Server-sent events: listen, recommendation, pipeline; Last-Event-ID resumes',
    query: z.object({ types: z.string().optional(), user: id.optional() }),
  },
  {
    method: 'post',
    path: '/feedback',
    summary: 'Love, hate or hide a track, for ever or until a time; holds from the next request on',
    body: feedbackInput,
    status: 202,
    answer: z.object({ accepted: z.number().int(), event_id: z.string() }),
    away: 'kafka_away',
    needsToken: true,
  },
  {
    method: 'get',
    path: '/users/{userId}/history',
    summary: 'What a listener played last',
    params: z.object({ userId: id }),
    query: z.object({ limit }),
    answer: z.object({
      user_id: z.string(),
      items: z.array(
        track.extend({
          event_type: z.string(),
          timestamp: z.string(),
          feedback: z.enum(['love', 'hate', 'hide']).nullable(),
        }),
      ),
    }),
  },
  {
    method: 'get',
    path: '/pipeline/models',
    summary: 'The models that were trained, why each is served or not, and what was published when',
    answer: models,
  },
  {
    method: 'post',
    path: '/pipeline/rollback',
    summary: 'Serve a published model again, at once',
    body: z.strictObject({ model_version: id }),
    answer: z.object({
      model_version: z.string(),
      previous: z.string().nullable(),
      outcome: z.enum(['published', 'unchanged']),
    }),
    away: 'temporal_away',
    needsToken: true,
  },
  {
    method: 'get',
    path: '/pipeline/outcomes',
    summary: 'What became of recommended tracks: click-through and skip rate by tier, reason and model',
    answer: z.object({
      measured_at: z.string(),
      window_hours: z.number().int(),
      items: z.array(
        z.object({
          tier: z.string(),
          reason_type: z.string().nullable(),
          model_version: z.string(),
          answers: z.number().int(),
          impressions: z.number().int(),
          clicked: z.number().int(),
          skipped: z.number().int(),
          click_through_rate: z.number(),
          skip_rate: z.number(),
        }),
      ),
    }),
  },
  {
    method: 'delete',
    path: '/users/{userId}',
    summary: 'Forget a user everywhere; the run answers with a receipt',
    params: z.object({ userId: id }),
    status: 202,
    answer: z.object({ workflow_id: z.string(), started: z.boolean(), location: z.string() }),
    away: 'temporal_away',
    needsToken: true,
  },
  {
    method: 'get',
    path: '/pipeline/runs',
    summary: 'The last runs',
    answer: z.object({ items: z.array(run) }),
    away: 'temporal_away',
  },
  {
    method: 'get',
    path: '/pipeline/runs/{workflowId}',
    summary: 'One run',
    params: z.object({ workflowId: id }),
    answer: run,
    away: 'temporal_away',
  },
  {
    method: 'post',
    path: '/pipeline/initial-load',
    summary: 'Start initialDataLoad, or join the open run',
    status: 202,
    answer: z.object({ workflow_id: z.string(), started: z.boolean(), location: z.string() }),
    away: 'temporal_away',
    needsToken: true,
  },
  {
    method: 'post',
    path: '/pipeline/weekly-trends',
    summary: 'Start weeklyTrendsIngestion, or join the open run',
    status: 202,
    answer: z.object({ workflow_id: z.string(), started: z.boolean(), location: z.string() }),
    away: 'temporal_away',
    needsToken: true,
  },
  {
    method: 'post',
    path: '/pipeline/weekly-trends/decisions',
    summary:
      'Decide about a weekly file that waits: accept it with its bad rows in quarantine, reject it, or read it again',
    body: weeklyDecisionInput,
    status: 202,
    answer: z.object({ workflow_id: z.string(), file: z.string(), decision: z.string(), location: z.string() }),
    away: 'temporal_away',
    needsToken: true,
  },
  {
    method: 'post',
    path: '/pipeline/refresh',
    summary: 'Start refreshRecommendations, or join the open run',
    status: 202,
    answer: z.object({ workflow_id: z.string(), started: z.boolean(), location: z.string() }),
    away: 'temporal_away',
    needsToken: true,
  },
  {
    method: 'get',
    path: '/livez',
    summary: 'Whether the process answers',
    answer: z.object({ status: z.literal('ok') }),
  },
  {
    method: 'get',
    path: '/readyz',
    summary:
      'Whether it has recommendations to serve, knows the last plays and feedback, reads Kafka, and is not stopping',
    answer: readiness,
    answer503: readiness,
  },
  {
    method: 'get',
    path: '/metrics',
    summary: 'Metrics, as Prometheus reads them',
    answer: z.string(),
    mediaType: 'text/plain',
  },
];

/** The API's description, OpenAPI 3.1. */
export function buildOpenApi(): object {
  const registry = new OpenAPIRegistry();
  const bearer = registry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  const listener = registry.registerComponent('securitySchemes', 'listener', {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    description: 'Token TOKEN, made by npm run token -- create USER',
  });
  for (const operation of operations) {
    const { method, path, summary, params, query, body, needsToken, needsListenerToken } = operation;
    registry.registerPath({
      method,
      path,
      summary,
      ...(needsListenerToken && { security: [{ [listener.name]: [] }] }),
      ...(needsToken && { security: [{ [bearer.name]: [] }] }),
      request: {
        ...(params && { params }),
        ...(query && { query }),
        ...(body && { body: { content: { 'application/json': { schema: body } } } }),
      },
      responses: responsesOf(operation),
    });
  }
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: { title: 'Segue', version: '1', description: 'Recommendations, listens and pipeline runs.' },
  });
}

function responsesOf(operation: Operation): Record<string, ResponseConfig> {
  const { status = 200, answer, answer503, mediaType = 'application/json', away, isListenBrainz } = operation;
  const error = isListenBrainz
    ? { description: 'an error as ListenBrainz tells it', content: { 'application/json': { schema: scrobbleError } } }
    : { description: 'a problem with a stable code', content: { 'application/problem+json': { schema: problem } } };
  return {
    [status]: { description: 'done', ...(answer && { content: { [mediaType]: { schema: answer } } }) },
    ...(answer503 && { 503: { description: 'not yet', content: { [mediaType]: { schema: answer503 } } } }),
    ...(away && { 503: { ...error, description: `${away}: ${problems[away].title}`, headers: retryAfter } }),
    default: error,
  };
}
