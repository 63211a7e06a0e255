import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import { unescape } from 'node:querystring';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import { pinoHttp } from 'pino-http';
import type { Logger } from '../platform/logger.ts';
import type { ApiMetrics } from './metrics.ts';
import { clientFault, Problem, problems } from './problems.ts';

/** Logs each request once, in JSON, under an id that the answer carries too. */
export function requestLog(logger: Logger): RequestHandler {
  return pinoHttp({
    logger,
    genReqId: (request, response) => {
      const given = request.headers['x-request-id'];
      const id = typeof given === 'string' && /^[\w.-]{1,100}$/.test(given) ? given : randomUUID();
      response.setHeader('x-request-id', id);
      return id;
    },
    customLogLevel: (_request, response, error) => (error || response.statusCode >= 500 ? 'error' : 'debug'),
    serializers: {
      req: ({ id, method, url }: { id: string; method: string; url: string }) => ({
        id,
        method,
        url: withoutTokens(url),
      }),
    },
  });
}

/**
 * Removes the value of a parameter named token, in any spelling: ListenBrainz's clients may send a token in this way.
 */
function withoutTokens(url: string): string {
  const start = url.indexOf('?') + 1;
  if (start === 0) return url;
  const parts = url.slice(start).split('&');
  const shown = parts.map((part) => {
    const [name = ''] = part.split('=', 1);
    return /token$/i.test(unescape(name)) ? `${name}=***` : part;
  });
  return url.slice(0, start) + shown.join('&');
}

/** Times each request by route template, never by the ids in it. */
export function requestTimes(metrics: ApiMetrics): RequestHandler {
  return (request, response, next) => {
    const stop = metrics.requestSeconds.startTimer();
    response.on('finish', () => {
      const template = (request.route as { path?: string } | undefined)?.path ?? 'none';
      stop({ route: template, method: request.method, status: String(response.statusCode) });
    });
    next();
  };
}

/** Lets a request pass that carries the token. */
export function requireToken(token: string): RequestHandler {
  return (request, _response, next) => {
    const [, given = ''] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? [];
    if (!isToken(given, token)) {
      throw new Problem('unauthorized', {
        detail: 'Send Authorization: Bearer TOKEN; the token is in secrets/api_token.txt',
        headers: { 'WWW-Authenticate': 'Bearer' },
      });
    }
    next();
  };
}

/** True if the given text is the token. Compares in constant time. */
export function isToken(given: string, token: string): boolean {
  return timingSafeEqual(sha256(given), sha256(token));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Limits requests per minute and address; answers carry RateLimit headers. */
export function limitRate(perMinute: number): RequestHandler {
  return rateLimit({
    windowMs: 60_000,
    // Without SEGUE_API_TRUST_PROXY the API ignores the header, which any client may send: no warning is needed.
    validate: { xForwardedForHeader: false, forwardedHeader: false },
    limit: perMinute,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    handler: () => {
      throw new Problem('too_many_requests');
    },
  });
}

/** The only place that turns an error into an answer: application/problem+json with a stable code. */
export const answerProblem: ErrorRequestHandler = (error: unknown, request, response, next) => {
  if (response.headersSent) return next(error);
  const problem = error instanceof Problem ? error : translate(error);
  if (problems[problem.code].status >= 500) request.log.error({ err: error }, 'request failed');
  const { status, title } = problems[problem.code];
  const { detail, errors, headers } = problem.details;
  response
    .status(status)
    .set({ 'Cache-Control': 'no-store', ...headers })
    .type('application/problem+json')
    .send(
      JSON.stringify({
        type: `/docs/problems#${problem.code}`,
        code: problem.code,
        status,
        title,
        detail,
        errors,
        request_id: request.id,
      }),
    );
};

function translate(error: unknown): Problem {
  const fault = clientFault(error);
  if (fault) return new Problem('invalid_request', { detail: fault.message, cause: error });
  return new Problem('internal_error', { cause: error });
}
