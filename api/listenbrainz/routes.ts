import { randomUUID } from 'node:crypto';
import { raw } from 'express';
import { z } from 'zod';
import type { ListeningEvent } from '../../contracts/schemas/events.ts';
import type { ApiDeps } from '../deps.ts';
import { toRecommendationEvent } from '../events/recommendation-event.ts';
import { sendListens } from '../events/send-listens.ts';
import { idParam, integerParam } from '../http/params.ts';
import { route, type Route } from '../http/route.ts';
import { recommend } from '../recommend.ts';
import { servedSnapshot } from '../served-snapshot.ts';
import { listenerOf, tokenOf } from './access.ts';
import { ScrobbleError } from './errors.ts';
import { mostBodyBytes, readSubmission, toListeningEvent } from './scrobbles.ts';
import { submissionShape } from './submission-shape.ts';

/** A model has at most so many recommendations for a user. */
const mostRecommendations = 1_000;
/** Pages past the end are empty, however far. */
const mostInteger = 2 ** 31 - 1;
const notAnInteger = 'should be a non-negative integer';
const page = z.object({
  count: integerParam({ min: 0, max: mostInteger, otherwise: 25, message: notAnInteger }),
  offset: integerParam({ min: 0, max: mostInteger, otherwise: 0, message: notAnInteger }),
});
const validityShape = z.object({
  code: z.number().int(),
  message: z.string(),
  valid: z.boolean(),
  user_name: z.string().optional(),
});
const recordingsShape = z.object({
  mbids: z.array(
    z.object({ recording_mbid: z.string(), score: z.number(), latest_listened_at: z.string().nullable() }),
  ),
  entity: z.literal('recording'),
  user_name: z.string(),
  last_updated: z.number().int(),
  count: z.number().int(),
  total_mbid_count: z.number().int(),
  offset: z.number().int(),
});

/** ListenBrainz's API, as far as scrobblers and its recommendation clients need it. */
export function listenBrainzRoutes(deps: ApiDeps): readonly Route[] {
  return [submitRoute(deps), tokenRoute(deps), recommendationRoute(deps)];
}

function submitRoute(deps: ApiDeps): Route {
  return route(
    {
      method: 'post',
      path: '/1/submit-listens',
      summary: 'Scrobble, as ListenBrainz takes it',
      access: 'listener',
      body: {
        schema: submissionShape,
        read: raw({ type: () => true, limit: mostBodyBytes }),
        parse: (body) => (Buffer.isBuffer(body) ? body : Buffer.alloc(0)),
      },
      answers: { 200: { schema: z.object({ status: z.literal('ok') }) } },
      away: 'kafka_away',
    },
    async ({ body }, res) => {
      const user = listenerOf(res);
      const now = deps.now();
      const scrobbles = readSubmission(body, now, deps.settings.earliestListen);
      await sendListens(deps, once(scrobbles.map((scrobble) => toListeningEvent(user, scrobble, now))));
      res.json({ status: 'ok' });
    },
  );
}

function tokenRoute(deps: ApiDeps): Route {
  return route(
    {
      method: 'get',
      path: '/1/validate-token',
      summary: 'Whether a listener’s token holds, and whose it is',
      access: 'public',
      query: z.object({ token: z.string('should be given once').optional() }),
      answers: { 200: { schema: validityShape } },
    },
    async ({ query: { token } }, res, req) => {
      const given = token !== undefined && token !== '' ? token : tokenOf(req);
      if (given === undefined) throw new ScrobbleError(400, 'You need to provide an Authorization token.');
      const user = await deps.listenerTokens.userOf(given);
      if (user === undefined) res.json({ code: 200, message: 'Token invalid.', valid: false });
      else res.json({ code: 200, message: 'Token valid.', valid: true, user_name: user });
    },
  );
}

function recommendationRoute(deps: ApiDeps): Route {
  return route(
    {
      method: 'get',
      path: '/1/cf/recommendation/user/:user/recording',
      summary: 'A listener’s recommendations, as ListenBrainz tells them',
      access: 'listener_read',
      params: z.object({ user: idParam }),
      query: page,
      answers: {
        200: { schema: z.object({ payload: recordingsShape }) },
        204: { about: 'a listener for whom there are none yet' },
      },
      away: 'nothing_published',
    },
    async ({ params: { user }, query }, res) => {
      const answer = await recommendedRecordings(deps, user, query);
      if (answer) res.json({ payload: answer });
      else res.status(204).end();
    },
  );
}

/** Undefined where the listener is known, but the model has nothing for them yet. */
async function recommendedRecordings(
  deps: ApiDeps,
  user: string,
  { count, offset }: z.infer<typeof page>,
): Promise<object | undefined> {
  const snapshot = servedSnapshot(deps);
  const isKnown = snapshot.hasUser(user) || deps.view.knows(user) || (await deps.listenerTokens.hasUser(user));
  if (!isKnown) throw new ScrobbleError(404, `Cannot find user: ${user}`);
  const isExcluded = deps.view.exclusionsOf(user);
  const all = recommend(snapshot, { userId: user, limit: mostRecommendations, isExcluded });
  if (all.tier === 'trending' || all.items.length === 0) return undefined;
  const items = all.items.slice(offset, offset + Math.min(count, 100));
  deps.outbox.add({ key: user, value: toRecommendationEvent(randomUUID(), { ...all, items }, deps.now()) });
  return {
    mbids: items.map(({ track_id, score }) => ({ recording_mbid: track_id, score, latest_listened_at: null })),
    entity: 'recording',
    user_name: user,
    last_updated: Math.floor(Date.parse(all.generated_at) / 1000),
    count: items.length,
    total_mbid_count: all.items.length,
    offset,
  };
}

/** The same listen twice in a submission counts once. */
function once(events: readonly ListeningEvent[]): readonly ListeningEvent[] {
  return [...new Map(events.map((event) => [event.event_id, event])).values()];
}
