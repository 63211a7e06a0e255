import { createHash, randomUUID } from 'node:crypto';
import { raw, Router, type Request, type RequestHandler } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import { z } from 'zod';
import type { ListeningEvent } from '../../contracts/schemas/events.ts';
import type { ApiDeps } from '../deps.ts';
import { toRecommendationEvent } from '../events/recommendation-event.ts';
import { sendListens } from '../events/send-listens.ts';
import { isToken, onlyMethods } from '../middleware.ts';
import { idParam, parseInput } from '../parse.ts';
import { recommend } from '../recommend.ts';
import { servedSnapshot } from '../served-snapshot.ts';
import { ScrobbleError } from './errors.ts';
import { mostBodyBytes, readSubmission, toListeningEvent } from './scrobbles.ts';

/** A model has at most so many recommendations for a user. */
const mostRecommendations = 1_000;
const page = z.object({
  count: z.coerce.number().int().min(0).default(25),
  offset: z.coerce.number().int().min(0).default(0),
});

/** ListenBrainz's API, as far as scrobblers and its recommendation clients need it. */
export function listenBrainzRoutes(deps: ApiDeps): Router {
  const router = Router();
  router.use('/1', allowOrigins, limitScrobbles(deps));
  router.post('/1/submit-listens', raw({ type: () => true, limit: mostBodyBytes }), async (req, res) => {
    const user = await requireListener(deps, req);
    const body: unknown = req.body;
    const now = deps.now();
    const scrobbles = readSubmission(Buffer.isBuffer(body) ? body : Buffer.alloc(0), now, deps.settings.earliestListen);
    await sendListens(deps, once(scrobbles.map((scrobble) => toListeningEvent(user, scrobble, now))));
    res.json({ status: 'ok' });
  });
  router.get('/1/validate-token', async (req, res) => {
    const { token } = req.query;
    const given = typeof token === 'string' && token !== '' ? token : tokenOf(req);
    if (given === undefined) throw new ScrobbleError(400, 'You need to provide an Authorization token.');
    const user = await deps.listenerTokens.userOf(given);
    if (user === undefined) res.json({ code: 200, message: 'Token invalid.', valid: false });
    else res.json({ code: 200, message: 'Token valid.', valid: true, user_name: user });
  });
  router.get('/1/cf/recommendation/user/:user/recording', authorizeReader(deps), async (req, res) => {
    const answer = await recommendedRecordings(deps, parseInput(idParam, req.params['user']), req.query);
    if (answer) res.json({ payload: answer });
    else res.status(204).end();
  });
  router.all('/1/submit-listens', onlyMethods('POST'));
  router.all(['/1/validate-token', '/1/cf/recommendation/user/:user/recording'], onlyMethods('GET', 'HEAD'));
  return router;
}

/** Undefined where the listener is known, but the model has nothing for them yet. */
async function recommendedRecordings(deps: ApiDeps, user: string, query: unknown): Promise<object | undefined> {
  const parsed = page.safeParse(query);
  if (!parsed.success)
    throw new ScrobbleError(400, `'${String(parsed.error.issues[0]?.path[0])}' should be a non-negative integer`);
  const { count, offset } = parsed.data;
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

/** Where reads need a token, a listener's own is as good as the API's. */
function authorizeReader(deps: ApiDeps): RequestHandler {
  const { readAuth, token } = deps.settings;
  return async (req, _res, next) => {
    if (readAuth && !isToken(tokenOf(req) ?? '', token)) await requireListener(deps, req);
    next();
  };
}

async function requireListener(deps: ApiDeps, req: Request): Promise<string> {
  if (!req.headers.authorization) throw new ScrobbleError(401, 'You need to provide an Authorization header.');
  const token = tokenOf(req);
  if (token === undefined) throw new ScrobbleError(401, 'Provided Authorization header is invalid.');
  const user = await deps.listenerTokens.userOf(token);
  if (user === undefined) throw new ScrobbleError(401, 'Invalid authorization token.');
  return user;
}

function tokenOf(req: Request): string | undefined {
  return /^(?:Token|Bearer) (\S+)$/i.exec(req.headers.authorization ?? '')?.[1];
}

/** The same listen twice in one submission is one. */
function once(events: readonly ListeningEvent[]): readonly ListeningEvent[] {
  return [...new Map(events.map((event) => [event.event_id, event])).values()];
}

/** Scrobblers in a browser come from pages of other origins; they carry a token, never a cookie. */
const allowOrigins: RequestHandler = (req, res, next) => {
  res.set('Access-Control-Allow-Origin', '*');
  if (req.method !== 'OPTIONS') return next();
  res.set({
    'Access-Control-Allow-Headers': 'Authorization, Content-Type',
    'Access-Control-Allow-Methods': 'GET, POST, OPTIONS',
    'Access-Control-Max-Age': '86400',
  });
  return res.status(200).end();
};

/** Per token that holds, or per address without one; answers say in ListenBrainz's headers what is left. */
function limitScrobbles(deps: ApiDeps): RequestHandler[] {
  const limiter = rateLimit({
    windowMs: 60_000,
    limit: deps.settings.scrobbleRateLimit,
    legacyHeaders: true,
    standardHeaders: false,
    keyGenerator: (req) => limitKey(deps, req),
    handler: (req, res) => {
      tellReset(req, res);
      res.status(429).json({
        code: 429,
        error:
          'You have exceeded your rate limit. See the X-RateLimit-* response headers for more information on your current rate limit.',
      });
    },
  });
  return [
    limiter,
    (req, res, next) => {
      tellReset(req, res);
      next();
    },
  ];
}

/** A token that does not hold counts for its address: another in each request would be another allowance each. */
async function limitKey(deps: ApiDeps, req: Request): Promise<string> {
  const token = tokenOf(req);
  const holds =
    token !== undefined &&
    (isToken(token, deps.settings.token) || (await deps.listenerTokens.userOf(token)) !== undefined);
  return holds ? createHash('sha256').update(token).digest('hex') : ipKeyGenerator(req.ip ?? '');
}

function tellReset(req: Request, res: Parameters<RequestHandler>[1]): void {
  const { rateLimit: info } = req as Request & { readonly rateLimit?: { readonly resetTime?: Date } };
  const resetInMs = (info?.resetTime?.getTime() ?? Date.now()) - Date.now();
  res.set('X-RateLimit-Reset-In', String(Math.max(0, Math.ceil(resetInMs / 1000))));
}
