import { Router } from 'express';
import type { ApiDeps } from '../deps.ts';

/** /livez (the process answers), /readyz (it has recommendations to serve and is not stopping), /metrics. */
export function healthRoutes(deps: ApiDeps): Router {
  const router = Router();
  router.get('/livez', (_req, res) => {
    res.json({ status: 'ok' });
  });
  router.get('/readyz', (_req, res) => {
    const checks = {
      accepting: deps.settings.isAccepting(),
      snapshot: deps.snapshots.current !== undefined,
      kafka: deps.producer.isConnected,
    };
    // Without Kafka answers still go out; their events wait.
    const isReady = checks.accepting && checks.snapshot;
    res.status(isReady ? 200 : 503).json({ status: isReady ? 'ready' : 'not ready', checks });
  });
  router.get('/metrics', async (_req, res) => {
    res.type(deps.metrics.registry.contentType).send(await deps.metrics.registry.metrics());
  });
  return router;
}
