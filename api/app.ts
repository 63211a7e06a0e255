import express, { type Express, type RequestHandler } from 'express';
import helmet from 'helmet';
import { parseTime } from '../contracts/acceptance/time.ts';
import type { ApiDeps } from './deps.ts';
import { openApiOf } from './http/openapi.ts';
import { routerOf, type Guards } from './http/router.ts';
import { allowReader, requireListener } from './listenbrainz/access.ts';
import { answerScrobbleError, parseScrobbleInput } from './listenbrainz/errors.ts';
import { allowOrigins, limitScrobbles } from './listenbrainz/limits.ts';
import { listenBrainzRoutes } from './listenbrainz/routes.ts';
import { answerProblem, limitRate, requestLog, requestTimes, requireToken } from './middleware.ts';
import { Problem } from './problems.ts';
import { docsRoutes, pageFiles } from './routes/docs.ts';
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

/** The HTTP app; knows neither environment nor port. */
export function buildApp(deps: ApiDeps): Express {
  const { settings } = deps;
  const guards = guardsOf(deps);
  const health = healthRoutes(deps);
  const routes = [
    ...[...recommendationRoutes(deps), ...trackRoutes(deps), ...eventRoutes(deps), ...outcomeRoutes(deps)],
    ...[...forgetRoutes(deps), ...ingestRoutes(deps), ...listenerRoutes(deps)],
    ...[...pipelineRoutes(deps), ...modelRoutes(deps)],
  ];
  const scrobbling = listenBrainzRoutes(deps);
  const describe = openApiOf(
    [
      { routes: scrobbling, errors: 'scrobbleError' },
      { routes: [...routes, ...health], errors: 'problem' },
    ],
    { readAuth: settings.readAuth, earliestListen: new Date(parseTime(settings.earliestListen)!) },
  );

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('trust proxy', settings.trustProxy);
  app.use(requestLog(deps.logger), requestTimes(deps.metrics), secureHeaders);
  app.use(routerOf([...health, ...docsRoutes(() => describe(deps.now()))], guards), pageFiles());
  app.use(limitRate(settings.rateLimit));
  app.use(routerOf(routes, guards));
  app.use('/1', allowOrigins, limitScrobbles(deps));
  app.use(routerOf(scrobbling, guards, parseScrobbleInput));
  app.use((req) => {
    throw new Problem('unknown_route', { detail: `${req.method} ${req.path}: see /docs for what there is` });
  });
  app.use('/1', answerScrobbleError);
  app.use(answerProblem);
  return app;
}

function guardsOf(deps: ApiDeps): Guards {
  const letPass: RequestHandler = (_req, _res, next) => next();
  const write = requireToken(deps.settings.token);
  return {
    public: letPass,
    read: deps.settings.readAuth ? write : letPass,
    write,
    listener: requireListener(deps),
    listener_read: allowReader(deps),
  };
}

const secureHeaders = helmet({
  contentSecurityPolicy: {
    directives: {
      'script-src': ["'self'"],
      'style-src': ["'self'", "'unsafe-inline'"],
      'upgrade-insecure-requests': null,
    },
  },
  strictTransportSecurity: false,
});
