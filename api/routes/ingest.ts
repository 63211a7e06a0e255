import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { listeningEventInput, type ListeningEvent, type ListeningEventInput } from '../../contracts/schemas/events.ts';
import type { ApiDeps } from '../deps.ts';
import { sendListens } from '../events/send-listens.ts';
import { readJson } from '../http/body.ts';
import { route, type Route } from '../http/route.ts';
import { parseInput } from '../parse.ts';

const mostEvents = 1_000;
const many = z.array(listeningEventInput).min(1).max(mostEvents);

/** POST /ingest/listening-event: one listen or an array; 202 only once Kafka has them all. */
export function ingestRoutes(deps: ApiDeps): readonly Route[] {
  return [
    route(
      {
        method: 'post',
        path: '/ingest/listening-event',
        summary: 'Post one listen or up to 1,000',
        // Checked by its own kind: a union would not say which field of which listen is wrong.
        body: { schema: z.union([listeningEventInput, many]), read: readJson('1 MB'), parse: readEvents },
        answers: { 202: { schema: z.object({ accepted: z.number().int(), event_ids: z.array(z.string()) }) } },
        away: 'kafka_away',
      },
      async ({ body }, res) => {
        const events = body.map((event) => complete(event, deps.now()));
        await sendListens(deps, events);
        res.status(202).json({ accepted: events.length, event_ids: events.map((event) => event.event_id) });
      },
    ),
  ];
}

function readEvents(body: unknown): ListeningEventInput[] {
  return Array.isArray(body) ? parseInput(many, body) : [parseInput(listeningEventInput, body)];
}

/** A listen without an id gets one, a listen without a time is now: both are what most clients mean. */
function complete(event: ListeningEventInput, now: Date): ListeningEvent {
  const { event_id: id = randomUUID(), timestamp, user_id, track_id, event_type } = event;
  return {
    schema_version: 1,
    event_id: id,
    user_id,
    track_id,
    event_type,
    timestamp: (timestamp ? new Date(timestamp) : now).toISOString(),
    received_at: now.toISOString(),
  };
}
