import { Router, type Response } from 'express';
import { z } from 'zod';
import type { ApiDeps } from '../deps.ts';
import { streamTypes, type StreamEvent, type StreamType } from '../events/hub.ts';
import { parseInput } from '../parse.ts';

const heartbeatMs = 15_000;
/** Bytes that may wait for a client that reads slowly; past that it is dropped, and may come back with its last id. */
const mostWaitingBytes = 1024 * 1024;

const request = z.object({
  types: z
    .string()
    .optional()
    .transform((list) => (list === undefined ? [...streamTypes] : list.split(',')))
    .pipe(z.array(z.enum(streamTypes)).min(1)),
});

/** GET /events/stream: server-sent events of listens, recommendations served and pipeline progress. */
export function eventRoutes(deps: ApiDeps): Router {
  return Router().get('/events/stream', (req, res) => {
    const { types } = parseInput(request, req.query);
    res.status(200).set({
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
    });
    res.flushHeaders();
    res.write('retry: 2000\n\n');
    const lastId = req.get('Last-Event-ID');
    if (lastId !== undefined) catchUp(deps, res, lastId, types);
    watch(deps, res, types);
  });
}

/** Sends what a returning client missed, or says that it cannot. */
function catchUp(deps: ApiDeps, res: Response, lastId: string, types: readonly StreamType[]): void {
  const missed = deps.hub.since(lastId);
  if (!missed) {
    res.write(
      `event: gap\ndata: ${JSON.stringify({ last_event_id: lastId, reason: 'this process does not remember that event' })}\n\n`,
    );
    return;
  }
  for (const event of missed) if (types.includes(event.type)) res.write(format(event));
}

function watch(deps: ApiDeps, res: Response, types: readonly StreamType[]): void {
  const { hub, metrics } = deps;
  const stopWatching = hub.watch((event) => {
    if (!types.includes(event.type)) return;
    res.write(format(event));
    if (res.writableLength <= mostWaitingBytes) return;
    metrics.streamClientsDropped.inc();
    res.destroy();
  });
  const heartbeat = setInterval(() => res.write(': heartbeat\n\n'), heartbeatMs);
  metrics.streamClients.inc();
  res.on('close', () => {
    stopWatching();
    clearInterval(heartbeat);
    metrics.streamClients.dec();
  });
}

function format(event: StreamEvent): string {
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${event.data}\n\n`;
}
