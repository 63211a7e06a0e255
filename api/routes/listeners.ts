import { randomUUID } from 'node:crypto';
import { Router, type RequestHandler } from 'express';
import { z } from 'zod';
import { parseTime, timeRange } from '../../contracts/acceptance/time.ts';
import { feedbackKey } from '../../contracts/events.ts';
import { feedbackInputWithin, type FeedbackEvent } from '../../contracts/schemas/events.ts';
import { topicNames } from '../../contracts/topics.ts';
import { readJson } from '../body.ts';
import type { ApiDeps } from '../deps.ts';
import { historyOf } from '../listeners/history.ts';
import { idParam, limitParam, parseInput } from '../parse.ts';
import { Problem } from '../problems.ts';

const kafkaTimeoutMs = 5_000;
const historyRequest = z.object({ userId: idParam, limit: limitParam(50) });

/** POST /feedback, which holds from the next request on, and GET /users/:userId/history. */
export function listenerRoutes(deps: ApiDeps, authorize: RequestHandler): Router {
  const router = Router();
  const input = feedbackInputWithin(() => timeRange(deps.settings.earliestListen, deps.now()));
  router.post('/feedback', authorize, readJson('10 kB'), async (req, res) => {
    const { user_id, track_id, feedback, until } = parseInput(input, req.body);
    const untilMs = until ? parseTime(until) : undefined;
    const event: FeedbackEvent = {
      schema_version: 1,
      event_id: randomUUID(),
      user_id,
      track_id,
      feedback,
      until: untilMs === undefined ? null : new Date(untilMs).toISOString(),
      at: deps.now().toISOString(),
    };
    // A forgotten user is answered as an unknown one; but on a topic that keeps the newest word for ever theirs must not lie.
    if (!deps.view.isForgotten(user_id)) await send(deps, event);
    // Kafka tells every process of it in a moment; this one need not wait.
    deps.view.takeFeedback(event);
    res.status(202).json({ accepted: 1, event_id: event.event_id });
  });
  router.get('/users/:userId/history', (req, res) => {
    const { userId, limit } = parseInput(historyRequest, { ...req.params, ...req.query });
    const items = historyOf(deps.snapshots.current, deps.view, userId, limit);
    if (!items) {
      throw new Problem('unknown_user', {
        detail: `Neither the snapshot nor the events of the last day have a listener ${userId}`,
      });
    }
    res.json({ user_id: userId, items });
  });
  return router;
}

async function send(deps: ApiDeps, event: FeedbackEvent): Promise<void> {
  const record = { key: feedbackKey(event.user_id, event.track_id), value: event };
  try {
    await deps.producer.send(topicNames.feedback, [record], kafkaTimeoutMs);
  } catch (cause) {
    throw new Problem('kafka_away', {
      detail: 'It is not known whether the feedback is in Kafka. Send it again: the newest holds',
      headers: { 'Retry-After': '5' },
      cause,
    });
  }
}
