import { json, type RequestHandler } from 'express';
import { clientFault, Problem } from './problems.ts';

/** Reads a JSON body of at most the limit ('1 MB'); throws a Problem that says why one cannot be read. */
export function readJson(limit: string): RequestHandler {
  const read = json({ limit });
  return (request, response, next) =>
    read(request, response, (error?: unknown) => next(error && explain(error, limit)));
}

function explain(error: unknown, limit: string): unknown {
  const fault = clientFault(error);
  if (!fault) return error;
  if (fault.status === 413)
    return new Problem('body_too_large', { detail: `The body may have at most ${limit}`, cause: error });
  return new Problem('invalid_json', { detail: `The body cannot be read: ${fault.message}`, cause: error });
}
