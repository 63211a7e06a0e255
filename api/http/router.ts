import { Router, type RequestHandler } from 'express';
import { parseInput } from '../parse.ts';
import { Problem } from '../problems.ts';
import type { Access, Route } from './route.ts';

/** The check of a request for each kind of access: it passes or throws. */
export type Guards = Readonly<Record<Access, RequestHandler>>;

/**
 * The router of a table of routes: each behind its guard, which decides before a body is read. Another method on an address
 * of the table is answered with 405 and Allow.
 */
export function routerOf(routes: readonly Route[], guards: Guards, parse: typeof parseInput = parseInput): Router {
  const router = Router();
  for (const [path, ofPath] of byPath(routes)) {
    const address = router.route(path);
    for (const { method, access, body, handle } of ofPath) {
      address[method](guards[access], ...(body ? [body.read] : []), handle(parse));
    }
    address.all(
      onlyMethods(ofPath.flatMap(({ method }) => (method === 'get' ? ['GET', 'HEAD'] : method.toUpperCase()))),
    );
  }
  return router;
}

function byPath(routes: readonly Route[]): ReadonlyMap<string, readonly Route[]> {
  const paths = new Map<string, Route[]>();
  for (const route of routes) paths.set(route.path, [...(paths.get(route.path) ?? []), route]);
  return paths;
}

function onlyMethods(methods: readonly string[]): RequestHandler {
  return () => {
    throw new Problem('method_not_allowed', { headers: { Allow: methods.join(', ') } });
  };
}
