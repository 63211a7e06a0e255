import { randomUUID } from 'node:crypto';
import { Router, type RequestHandler } from 'express';
import { z } from 'zod';
import { parseTime, timeRange } from '../../contracts/acceptance/time.ts';
import {
  listeningEventInputWithin,
  type ListeningEvent,
  type ListeningEventInput,
} from '../../contracts/schemas/events.ts';
import { readJson } from '../body.ts';
import type { ApiDeps } from '../deps.ts';
import { sendListens } from '../events/send-listens.ts';
import { parseInput } from '../parse.ts';

const mostEvents = 1_000;
/** POST /ingest/listening-event: one listen or an array; 202 only once Kafka has them all. */
export function ingestRoutes(deps: ApiDeps, authorize: RequestHandler): Router {
  const one = listeningEventInputWithin(() => timeRange(deps.settings.earliestListen, deps.now()));
  const many = z.array(one).min(1).max(mostEvents);
  return Router().post('/ingest/listening-event', authorize, readJson('1 MB'), async (req, res) => {
    const posted = Array.isArray(req.body) ? parseInput(many, req.body) : [parseInput(one, req.body)];
    const events = posted.map((event) => complete(event, deps.now()));
    await sendListens(deps, events);
    res.status(202).json({ accepted: events.length, event_ids: events.map((event) => event.event_id) });
  });
}

/** A listen without an id gets one, a listen without a time is now: both are what most clients mean. */
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
