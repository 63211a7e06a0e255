import { Router, type Request, type Response } from 'express';
import { z } from 'zod';
import type { ApiDeps } from '../deps.ts';
import { markOf } from '../events/hub.ts';
import { streamTypes } from '../events/position.ts';
import { resume } from '../events/resume.ts';
import { StreamClient } from '../events/stream-client.ts';
import { idParam, parseInput } from '../parse.ts';
import { Problem } from '../problems.ts';

const heartbeatMs = 15_000;

const request = z.object({
  types: z
    .string()
    .optional()
    .transform((list) => (list === undefined ? [...streamTypes] : [...new Set(list.split(','))]))
    .pipe(z.array(z.enum(streamTypes)).min(1)),
  user: idParam.optional(),
});

/** GET /events/stream: server-sent events of listens, recommendations served and pipeline progress. */
export function eventRoutes(deps: ApiDeps): Router {
  const clients = new Map<string, number>();
  return Router().get('/events/stream', (req, res) => {
    const { types, user } = parseInput(request, req.query);
    countClient(deps, clients, req, res);
    res.status(200).set({
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
    });
    res.flushHeaders();
    const client = new StreamClient(res, { types, user });
    client.say('retry: 2000\n\n');
    beat(deps, client, res);
    const lastId = req.get('Last-Event-ID');
    if (lastId !== undefined && lastId !== '') {
      void resume(deps, client, lastId, () => watch(deps, client, res));
      return;
    }
    client.say(markOf(deps.hub.position));
    watch(deps, client, res);
  });
}

/** So many streams from one address are no browser any more: they would crowd out the others. */
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
