import { z } from 'zod';
import type { ApiDeps } from '../deps.ts';
import { route, type Route } from '../http/route.ts';

const readiness = z.object({
  status: z.enum(['ready', 'not ready']),
  checks: z.object({
    accepting: z.boolean(),
    snapshot: z.boolean(),
    kafka: z.boolean(),
    view: z.boolean(),
    feed: z.boolean(),
  }),
  reason: z.string().optional(),
});

/** /livez (the process answers), /readyz (it has recommendations to serve, knows the last plays and feedback, reads Kafka, and is not stopping), /metrics. */
export function healthRoutes(deps: ApiDeps): readonly Route[] {
  const startedAt = performance.now();
  let hasReachedKafka = false;
  return [
    route(
      {
        method: 'get',
        path: '/livez',
        summary: 'Whether the process answers',
        access: 'public',
        answers: { 200: { schema: z.object({ status: z.literal('ok') }) } },
      },
      (_input, res) => {
        res.json({ status: 'ok' });
      },
    ),
    route(
      {
        method: 'get',
        path: '/readyz',
        summary:
          'Whether it has recommendations to serve, knows the last plays and feedback, reads Kafka, and is not stopping',
        access: 'public',
        answers: { 200: { schema: readiness }, 503: { about: 'not yet', schema: readiness } },
      },
      (_input, res) => {
        const checks = {
          accepting: deps.settings.isAccepting(),
          snapshot: deps.snapshots.current !== undefined,
          kafka: deps.producer.isConnected,
          view: deps.feed.isViewRebuilt,
          feed: deps.feed.problem === undefined,
        };
        // Without Kafka answers still go out; their events wait. A young process that has not reached it yet would refuse listens,
        // and without the view answers may hold a track that was hidden: both are waited for, but not for ever.
        hasReachedKafka ||= checks.kafka;
        const isSettled = hasReachedKafka && checks.view;
        const isPatient = performance.now() - startedAt < deps.settings.viewTimeoutMs;
        // While Kafka is away, no process reads it. Where it answers and this process does not read it, another process serves better.
        const isFed = checks.feed || !checks.kafka;
        const isReady = checks.accepting && checks.snapshot && isFed && (isSettled || !isPatient);
        const reason = isFed ? undefined : `Kafka answers, and its records are not read: ${deps.feed.problem}`;
        res.status(isReady ? 200 : 503).json({ status: isReady ? 'ready' : 'not ready', checks, reason });
      },
    ),
    route(
      {
        method: 'get',
        path: '/metrics',
        summary: 'Metrics, as Prometheus reads them',
        access: 'public',
        answers: { 200: { schema: z.string(), mediaType: 'text/plain' } },
      },
      async (_input, res) => {
        deps.metrics.feedReading.set(deps.feed.problem === undefined ? 1 : 0);
        res.type(deps.metrics.registry.contentType).send(await deps.metrics.registry.metrics());
      },
    ),
  ];
}
