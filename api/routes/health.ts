import { Router } from 'express';
import type { ApiDeps } from '../deps.ts';

/** /livez (the process answers), /readyz (it has recommendations to serve, knows the last plays and feedback, reads Kafka, and is not stopping), /metrics. */
export function healthRoutes(deps: ApiDeps): Router {
  const router = Router();
  const startedAt = performance.now();
  let hasReachedKafka = false;
  router.get('/livez', (_req, res) => {
    res.json({ status: 'ok' });
  });
  router.get('/readyz', (_req, res) => {
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
    // While Kafka is away nobody reads it. Where it answers and this process does not read it, another one serves better.
    const isFed = checks.feed || !checks.kafka;
    const isReady = checks.accepting && checks.snapshot && isFed && (isSettled || !isPatient);
    const reason = isFed ? undefined : `Kafka answers, and its records are not read: ${deps.feed.problem}`;
    res.status(isReady ? 200 : 503).json({ status: isReady ? 'ready' : 'not ready', checks, reason });
  });
  router.get('/metrics', async (_req, res) => {
    deps.metrics.feedReading.set(deps.feed.problem === undefined ? 1 : 0);
    res.type(deps.metrics.registry.contentType).send(await deps.metrics.registry.metrics());
  });
  return router;
}
