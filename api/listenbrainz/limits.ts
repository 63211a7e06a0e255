import { createHash } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import type { ApiDeps } from '../deps.ts';
import { isToken } from '../middleware.ts';
import { tokenOf } from './access.ts';

/** Scrobblers in a browser come from pages of other origins; they carry a token, never a cookie. */
export const allowOrigins: RequestHandler = (req, res, next) => {
  res.set('Access-Control-Allow-Origin', '*');
  if (req.method !== 'OPTIONS') return next();
  res.set({
    'Access-Control-Allow-Headers': 'Authorization, Content-Type',
    'Access-Control-Allow-Methods': 'GET, POST, OPTIONS',
    'Access-Control-Max-Age': '86400',
  });
  return res.status(200).end();
};

/**
 * The rate limit, per valid token, or per address without a token. The answer's headers give the remaining requests in
 * ListenBrainz's format.
 */
export function limitScrobbles(deps: ApiDeps): RequestHandler[] {
  const limiter = rateLimit({
    windowMs: 60_000,
    // Without SEGUE_API_TRUST_PROXY the API ignores the header, which any client may send: no warning is needed.
    validate: { xForwardedForHeader: false, forwardedHeader: false },
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
