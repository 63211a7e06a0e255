import { OpenAPIRegistry, OpenApiGeneratorV31, type ResponseConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { problems } from '../problems.ts';
import type { Access, Answer, Route } from './route.ts';
import { pastTimePattern, untilTimePattern } from './time-patterns.ts';

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
/** Patterns of most languages cannot name unpaired surrogates, and UTF-8 cannot carry them. */
const surrogates = '\\uD800-\\uDFFF';
const retryAfter = z.object({
  'Retry-After': z.number().int().meta({ description: 'seconds until it is worth asking again' }),
});

const errors = {
  problem: {
    description: 'a problem with a stable code',
    content: { 'application/problem+json': { schema: problem } },
  },
  scrobbleError: {
    description: 'an error as ListenBrainz tells it',
    content: { 'application/json': { schema: scrobbleError } },
  },
} as const satisfies Record<string, ResponseConfig>;

/** Routes with the same format of errors. */
export interface RouteGroup {
  readonly routes: readonly Route[];
  readonly errors: keyof typeof errors;
}

/** The settings that the description mentions: the protection of reads, and the earliest time of a listen. */
export interface DescriptionSettings {
  readonly readAuth: boolean;
  readonly earliestListen: Date;
}

/** Writes the API's description, OpenAPI 3.1, of its routes; the times of listens in it move with the clock. */
export function openApiOf(groups: readonly RouteGroup[], settings: DescriptionSettings): (now: Date) => object {
  const description = generate(groups, settings.readAuth);
  return (now) =>
    finished(description, {
      'listen-time': {
        pattern: pastTimePattern(settings.earliestListen, now),
        description:
          'ISO 8601, UTC where it names no zone, up to an hour after the request. The pattern lists past months alone.',
      },
      'until-time': {
        pattern: untilTimePattern(settings.earliestListen),
        description: 'ISO 8601, UTC where it names no zone',
      },
    });
}

function generate(groups: readonly RouteGroup[], readAuth: boolean): object {
  const registry = new OpenAPIRegistry();
  registry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    description: 'The API’s token',
  });
  registry.registerComponent('securitySchemes', 'listener', {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    description: 'Token TOKEN, made by npm run token -- create USER',
  });
  for (const { routes, errors: dialect } of groups) {
    for (const route of routes) if (route.isDescribed) registry.registerPath(describe(route, dialect, readAuth));
  }
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: { title: 'Segue', version: '1', description: 'Recommendations, listens and pipeline runs.' },
  });
}

/** Adds the limits that depend on the clock or on a setting to the schemas of our own formats. */
function finished(description: object, formats: Readonly<Record<string, object>>): object {
  return JSON.parse(JSON.stringify(description), (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    const { format, pattern } = value as { readonly format?: unknown; readonly pattern?: unknown };
    return {
      ...value,
      ...(typeof pattern === 'string' && { pattern: pattern.replaceAll(surrogates, '') }),
      ...(typeof format === 'string' && formats[format]),
    };
  }) as object;
}

type Operation = Parameters<OpenAPIRegistry['registerPath']>[0];

function describe(route: Route, dialect: keyof typeof errors, readAuth: boolean): Operation {
  const { method, path, summary, params, query, body, access } = route;
  const security = securityOf(access, readAuth);
  return {
    method,
    path: path.replaceAll(/[:*](\w+)/g, '{$1}'),
    summary,
    ...(security.length > 0 && { security }),
    request: {
      ...(params && { params }),
      ...(query && { query }),
      ...(body && { body: { required: true, content: { 'application/json': { schema: body.schema } } } }),
    },
    responses: responsesOf(route, errors[dialect]),
  };
}

/** The alternatives of authorisation: each of them is sufficient. Empty for a public route. */
function securityOf(access: Access, readAuth: boolean): Record<string, never[]>[] {
  const token = { token: [] };
  const listener = { listener: [] };
  if (access === 'write') return [token];
  if (access === 'listener') return [listener];
  if (access === 'public' || !readAuth) return [];
  return access === 'listener_read' ? [listener, token] : [token];
}

function responsesOf({ answers, away }: Route, error: ResponseConfig): Record<string, ResponseConfig> {
  const described = Object.entries(answers).map(([status, answer]) => [status, toResponse(answer)] as const);
  return {
    ...Object.fromEntries(described),
    ...(away && { 503: { ...error, description: `${away}: ${problems[away].title}`, headers: retryAfter } }),
    default: error,
  };
}

function toResponse({ about = 'done', schema, mediaType = 'application/json' }: Answer): ResponseConfig {
  return { description: about, ...(schema && { content: { [mediaType]: { schema } } }) };
}
