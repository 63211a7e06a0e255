import type { Request, RequestHandler, Response } from 'express';
import type { z } from 'zod';
import type { parseInput } from '../parse.ts';
import type { ProblemCode } from '../problems.ts';

/**
 * The access to a route. `public`: all clients. `read`: all clients, or with SEGUE_API_READ_AUTH=true clients with the
 * API's token. `write`: clients with the API's token. `listener`: a listener with a personal token (ListenBrainz's
 * API). `listener_read`: like `read`, and a personal token is also accepted.
 */
export type Access = 'public' | 'read' | 'write' | 'listener' | 'listener_read';

/** An answer of a route, as the API's description tells it. */
export interface Answer {
  /** In words, where "done" says too little. */
  readonly about?: string;
  /** None for an answer without a body. */
  readonly schema?: z.ZodType;
  /** `application/json` where nothing else is said. */
  readonly mediaType?: string;
}

/** The body a route takes. */
export interface RouteBody<Body> {
  /** The schemas of the client's input. */
  readonly schema: z.ZodType;
  /** Reads the bytes, up to a limit: readJson('10 kB'). */
  readonly read: RequestHandler;
  /** Checks the body; `parse` says how a check answers a client. */
  readonly parse: (body: unknown, parse: typeof parseInput) => Body;
}

/** The declaration of a route. */
export interface RouteDescription {
  readonly method: 'get' | 'post' | 'delete';
  /** Express's template: `/users/:userId`; `*name` also takes slashes. */
  readonly path: string;
  readonly summary: string;
  readonly access: Access;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: Pick<RouteBody<unknown>, 'schema' | 'read'>;
  /** By status. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Why it may answer 503 with Retry-After. */
  readonly away?: ProblemCode;
  /** False for pages and documents, which are no part of the API's description. */
  readonly isDescribed: boolean;
}

/** A route of the table. */
export interface Route extends RouteDescription {
  /** The handler, behind checks of parameters, query and body; `parse` says how a check answers a client. */
  readonly handle: (parse: typeof parseInput) => RequestHandler;
}

type Optional = 'access' | 'isDescribed' | 'params' | 'query' | 'body';

/** A route before its defaults are filled in. */
export interface RouteSpec<Params extends z.ZodObject, Query extends z.ZodObject, Body>
  extends Omit<RouteDescription, Optional>, Partial<Pick<RouteDescription, 'access' | 'isDescribed'>> {
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: RouteBody<Body>;
}

/** The checked input of a handler. */
export interface RouteInput<Params extends z.ZodObject, Query extends z.ZodObject, Body> {
  readonly params: z.infer<Params>;
  readonly query: z.infer<Query>;
  readonly body: Body;
}

/**
 * Declares a route once. The router, the allowed methods of an address, the access and the API's description all come
 * from this declaration. A route without a declared access is protected: GET as a read, all remaining methods as a
 * write.
 */
export function route<Params extends z.ZodObject, Query extends z.ZodObject, Body = unknown>(
  spec: RouteSpec<Params, Query, Body>,
  handler: (input: RouteInput<Params, Query, Body>, response: Response, request: Request) => void | Promise<void>,
): Route {
  const { params, query, body } = spec;
  return {
    ...spec,
    access: spec.access ?? (spec.method === 'get' ? 'read' : 'write'),
    isDescribed: spec.isDescribed ?? true,
    handle: (parse) => async (request, response) => {
      const input = {
        params: params ? parse(params, joined(request.params)) : {},
        query: query ? parse(query, request.query) : {},
        body: body?.parse(request.body, parse),
      };
      // The schema's parser returns the inferred type. Without a schema, the handler's type applies.
      await handler(input as RouteInput<Params, Query, Body>, response, request);
    },
  };
}

/** Express splits the value of `*name` at slashes. */
function joined(params: Request['params']): Record<string, string> {
  const entries = Object.entries(params as Record<string, string | readonly string[]>);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'string' ? value : value.join('/')]),
  );
}
