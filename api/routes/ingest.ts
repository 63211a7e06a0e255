import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { parseTime, timeRange } from '../../contracts/acceptance/time.ts';
import {
  listeningEventInputWithin,
  type ListeningEvent,
  type ListeningEventInput,
} from '../../contracts/schemas/events.ts';
import type { ApiDeps } from '../deps.ts';
import { sendListens } from '../events/send-listens.ts';
import { readJson } from '../http/body.ts';
import { route, type Route } from '../http/route.ts';

const mostEvents = 1_000;

/** POST /ingest/listening-event: a listen or an array of listens. Answers 202 only after Kafka has all of them. */
export function ingestRoutes(deps: ApiDeps): readonly Route[] {
  const one = listeningEventInputWithin(() => timeRange(deps.settings.earliestListen, deps.now()));
  const many = z.array(one).min(1).max(mostEvents);
  return [
    route(
      {
        method: 'post',
        path: '/ingest/listening-event',
        summary: 'Post one listen or up to 1,000',
        // Checked by its own kind: a union would not say which field of which listen is wrong.
        body: {
          schema: z.union([one, many]),
          read: readJson('1 MB'),
          parse: (body, parse): ListeningEventInput[] => (Array.isArray(body) ? parse(many, body) : [parse(one, body)]),
        },
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

/** A listen without an id gets an id, and a listen without a time is now: most clients mean that. */
function complete(event: ListeningEventInput, now: Date): ListeningEvent {
  const { event_id: id = randomUUID(), timestamp, user_id, track_id, event_type } = event;
  const playedAtMs = timestamp === undefined ? undefined : parseTime(timestamp);
  return {
    schema_version: 1,
    event_id: id,
    user_id,
    track_id,
    event_type,
    timestamp: new Date(playedAtMs ?? now).toISOString(),
    received_at: now.toISOString(),
  };
}
