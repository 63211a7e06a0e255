import type { Request, Response } from 'express';
import { z } from 'zod';
import type { ApiDeps } from '../deps.ts';
import { markOf } from '../events/hub.ts';
import { streamTypes, type StreamType } from '../events/position.ts';
import { resume } from '../events/resume.ts';
import { StreamClient } from '../events/stream-client.ts';
import { idParam } from '../http/params.ts';
import { route, type Route } from '../http/route.ts';
import { Problem } from '../problems.ts';

const heartbeatMs = 15_000;

const streamHeaders = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
};

const anyType = streamTypes.join('|');
const types = z
  .string()
  .regex(new RegExp(`^(${anyType})(,(${anyType}))*$`), `must be some of ${streamTypes.join(', ')}, with commas between`)
  .optional()
  .transform((list) =>
    list === undefined ? streamTypes : streamTypes.filter((type) => list.split(',').includes(type)),
  );

/** GET /events/stream: server-sent events of listens, recommendations served and pipeline progress. */
export function eventRoutes(deps: ApiDeps): readonly Route[] {
  const clients = new Map<string, number>();
  return [
    route(
      {
        method: 'get',
        path: '/events/stream',
        summary: 'Server-sent events: listen, recommendation, pipeline; Last-Event-ID resumes',
        query: z.object({ types, user: idParam.optional() }),
        answers: {
          200: { about: 'events, until the client goes', schema: z.string(), mediaType: 'text/event-stream' },
        },
      },
      ({ query }, res, req) => {
        // An answer to HEAD ends with its headers: there is nothing to stream.
        if (req.method === 'HEAD') res.set(streamHeaders).end();
        else stream(deps, clients, query, req, res);
      },
    ),
  ];
}

function stream(
  deps: ApiDeps,
  clients: Map<string, number>,
  filter: { readonly types: readonly StreamType[]; readonly user?: string | undefined },
  req: Request,
  res: Response,
): void {
  countClient(deps, clients, req, res);
  res.status(200).set(streamHeaders).flushHeaders();
  const client = new StreamClient(res, { types: filter.types, user: filter.user });
  client.say('retry: 2000\n\n');
  beat(deps, client, res);
  const lastId = req.get('Last-Event-ID');
  if (lastId !== undefined && lastId !== '') {
    void resume(deps, client, lastId, () => watch(deps, client, res));
    return;
  }
  client.say(markOf(deps.hub.position));
  watch(deps, client, res);
}

/**
 * The most streams of a single address. More streams do not come from a browser and would crowd out the remaining
 * clients.
 */
function countClient(deps: ApiDeps, clients: Map<string, number>, req: Request, res: Response): void {
  const address = req.ip ?? 'unknown';
  const count = (clients.get(address) ?? 0) + 1;
  if (count > deps.settings.streamsPerAddress) {
    throw new Problem('too_many_streams', { headers: { 'Retry-After': '30' } });
  }
  clients.set(address, count);
  deps.metrics.streamClients.inc();
  res.on('close', () => {
    deps.metrics.streamClients.dec();
    const left = clients.get(address)! - 1;
    if (left > 0) clients.set(address, left);
    else clients.delete(address);
  });
}

/** Keeps connections open that carry nothing for a while, and tells a client with a filter how far it has read. */
function beat(deps: ApiDeps, client: StreamClient, res: Response): void {
  const heartbeat = setInterval(() => {
    client.say(client.isWatching ? `: heartbeat\n\n${markOf(deps.hub.position)}` : ': heartbeat\n\n');
  }, heartbeatMs);
  res.on('close', () => clearInterval(heartbeat));
}

function watch(deps: ApiDeps, client: StreamClient, res: Response): void {
  client.isWatching = true;
  const stopWatching = deps.hub.watch((part) => {
    client.tell(part);
    if (!client.isTooSlow) return;
    deps.metrics.streamClientsDropped.inc();
    client.drop();
  });
  res.on('close', stopWatching);
}
