import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { parseTime, timeRange } from '../../contracts/acceptance/time.ts';
import { feedbackKey } from '../../contracts/events.ts';
import { feedbackInputWithin, type FeedbackEvent } from '../../contracts/schemas/events.ts';
import { topicNames } from '../../contracts/topics.ts';
import type { ApiDeps } from '../deps.ts';
import { jsonBody } from '../http/body.ts';
import { idParam, limitParam } from '../http/params.ts';
import { route, type Route } from '../http/route.ts';
import { trackShape } from '../http/shapes.ts';
import { historyOf } from '../listeners/history.ts';
import { Problem } from '../problems.ts';

const kafkaTimeoutMs = 5_000;
const historyShape = z.object({
  user_id: z.string(),
  items: z.array(
    trackShape.extend({
      event_type: z.string(),
      timestamp: z.string(),
      feedback: z.enum(['love', 'hate', 'hide']).nullable(),
    }),
  ),
});

/** POST /feedback, which holds from the next request on, and GET /users/:userId/history. */
export function listenerRoutes(deps: ApiDeps): readonly Route[] {
  return [feedbackRoute(deps), historyRoute(deps)];
}

function feedbackRoute(deps: ApiDeps): Route {
  const input = feedbackInputWithin(() => timeRange(deps.settings.earliestListen, deps.now()));
  return route(
    {
      method: 'post',
      path: '/feedback',
      summary: 'Love, hate or hide a track, for ever or until a time; holds from the next request on',
      body: jsonBody(input, '10 kB'),
      answers: { 202: { schema: z.object({ accepted: z.number().int(), event_id: z.string() }) } },
      away: 'kafka_away',
    },
    async ({ body: { user_id, track_id, feedback, until } }, res) => {
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
      // A forgotten user is answered like an unknown user. But their feedback must not go to a topic that keeps the
      // newest record for ever.
      if (!deps.view.isForgotten(user_id)) await send(deps, event);
      // Every process learns of the feedback from Kafka in a moment. This process need not wait for that.
      deps.view.takeFeedback(event);
      res.status(202).json({ accepted: 1, event_id: event.event_id });
    },
  );
}

function historyRoute(deps: ApiDeps): Route {
  return route(
    {
      method: 'get',
      path: '/users/:userId/history',
      summary: 'What a listener played last',
      params: z.object({ userId: idParam }),
      query: z.object({ limit: limitParam(50) }),
      answers: { 200: { schema: historyShape } },
    },
    ({ params: { userId }, query: { limit } }, res) => {
      const items = historyOf(deps.snapshots.current, deps.view, userId, limit);
      if (!items) {
        throw new Problem('unknown_user', {
          detail: `Neither the snapshot nor the events of the last day have a listener ${userId}`,
        });
      }
      res.json({ user_id: userId, items });
    },
  );
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
