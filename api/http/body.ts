import { isUtf8 } from 'node:buffer';
import { json, type RequestHandler } from 'express';
import type { z } from 'zod';
import { clientFault, Problem } from '../problems.ts';
import type { RouteBody } from './route.ts';

/** A JSON body of at most the limit ('1 MB') that fits the schema. */
export function jsonBody<Schema extends z.ZodType>(schema: Schema, limit: string): RouteBody<z.infer<Schema>> {
  return { schema, read: readJson(limit), parse: (body, parse) => parse(schema, body) };
}

/** Reads a JSON body up to the limit ('1 MB'). Throws a Problem with the reason if the body is unreadable. */
export function readJson(limit: string): RequestHandler {
  const read = json({ limit, verify: (_request, _response, bytes, encoding) => refuseBrokenText(bytes, encoding) });
  return (request, response, next) =>
    read(request, response, (error?: unknown) => next(error && explain(error, limit)));
}

/** The parser would replace bytes that are not UTF-8 by U+FFFD, and two different ids would become the same id. */
function refuseBrokenText(bytes: Buffer, encoding: string): void {
  if (encoding === 'utf-8' && !isUtf8(bytes)) throw new Error('it is not UTF-8');
}

function explain(error: unknown, limit: string): unknown {
  const fault = clientFault(error);
  if (!fault) return error;
  if (fault.status === 413)
    return new Problem('body_too_large', { detail: `The body may have at most ${limit}`, cause: error });
  return new Problem('invalid_json', { detail: `The body cannot be read: ${fault.message}`, cause: error });
}
