import express, { type Express, type RequestHandler } from 'express';
import helmet from 'helmet';
import type { ApiDeps } from './deps.ts';
import { answerScrobbleError } from './listenbrainz/errors.ts';
import { listenBrainzRoutes } from './listenbrainz/routes.ts';
import { answerProblem, limitRate, onlyMethods, requestLog, requestTimes, requireToken } from './middleware.ts';
import { Problem } from './problems.ts';
import { docsRoutes } from './routes/docs.ts';
import { eventRoutes } from './routes/events.ts';
import { forgetRoutes } from './routes/forget.ts';
import { healthRoutes } from './routes/health.ts';
import { ingestRoutes } from './routes/ingest.ts';
import { listenerRoutes } from './routes/listeners.ts';
import { modelRoutes } from './routes/models.ts';
import { outcomeRoutes } from './routes/outcomes.ts';
import { pipelineRoutes } from './routes/pipeline.ts';
import { recommendationRoutes } from './routes/recommendations.ts';
import { trackRoutes } from './routes/tracks.ts';

const readOnly = [
  '/recommendations/:userId',
  '/tracks',
  '/tracks/:trackId/similar',
  '/trending',
  '/users/:userId/history',
  '/events/stream',
  '/pipeline/models',
  '/pipeline/outcomes',
  '/pipeline/runs',
  '/pipeline/runs/*workflowId',
];
const writeOnly = [
  '/pipeline/rollback',
  '/ingest/listening-event',
  '/feedback',
  '/pipeline/initial-load',
  '/pipeline/weekly-trends',
  '/pipeline/weekly-trends/decisions',
  '/pipeline/refresh',
];

/** The HTTP app; knows neither environment nor port. */
export function buildApp(deps: ApiDeps): Express {
  const { settings } = deps;
  const authorize = requireToken(settings.token);
  const authorizeReads: RequestHandler = settings.readAuth ? authorize : (_req, _res, next) => next();

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(requestLog(deps.logger), requestTimes(deps.metrics));
  app.use(
    helmet({
      contentSecurityPolicy: {
        directives: {
          'script-src': ["'self'"],
          'style-src': ["'self'", "'unsafe-inline'"],
          'upgrade-insecure-requests': null,
        },
      },
      strictTransportSecurity: false,
    }),
  );
  app.use(healthRoutes(deps));
  app.use(docsRoutes());
  app.use(limitRate(settings.rateLimit));
  app.get(readOnly, authorizeReads);
  app.use(recommendationRoutes(deps), trackRoutes(deps), eventRoutes(deps));
  app.use(outcomeRoutes(deps), forgetRoutes(deps, authorize));
  app.use(ingestRoutes(deps, authorize), listenerRoutes(deps, authorize));
  app.use(pipelineRoutes(deps, authorize), modelRoutes(deps, authorize));
  app.use(listenBrainzRoutes(deps));
  app.all(readOnly, onlyMethods('GET', 'HEAD'));
  app.all(writeOnly, onlyMethods('POST'));
  app.all('/users/:userId', onlyMethods('DELETE'));
  app.use((req) => {
    throw new Problem('unknown_route', { detail: `${req.method} ${req.path}: see /docs for what there is` });
  });
  app.use('/1', answerScrobbleError);
  app.use(answerProblem);
  return app;
}
