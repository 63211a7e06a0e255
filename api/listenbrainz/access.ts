import type { Request, RequestHandler, Response } from 'express';
import type { ApiDeps } from '../deps.ts';
import { isToken } from '../middleware.ts';
import { ScrobbleError } from './errors.ts';

/** Checks the listener's own token and notes the listener. */
export function requireListener(deps: ApiDeps): RequestHandler {
  return async (req, res, next) => {
    if (!req.headers.authorization) throw new ScrobbleError(401, 'You need to provide an Authorization header.');
    const token = tokenOf(req);
    if (token === undefined) throw new ScrobbleError(401, 'Provided Authorization header is invalid.');
    const user = await deps.listenerTokens.userOf(token);
    if (user === undefined) throw new ScrobbleError(401, 'Invalid authorization token.');
    res.locals['listener'] = user;
    next();
  };
}

/** Where reads need a token, a listener's own is as good as the API's. */
export function allowReader(deps: ApiDeps): RequestHandler {
  const { readAuth, token } = deps.settings;
  const asListener = requireListener(deps);
  return async (req, res, next) => {
    if (!readAuth || isToken(tokenOf(req) ?? '', token)) next();
    else await asListener(req, res, next);
  };
}

/** The listener that requireListener has noted. */
export function listenerOf(res: Response): string {
  return res.locals['listener'] as string;
}

/** The token of a request, as ListenBrainz's clients send it. */
export function tokenOf(req: Request): string | undefined {
  return /^(?:Token|Bearer) (\S+)$/i.exec(req.headers.authorization ?? '')?.[1];
}
