import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Router, static as serveStatic } from 'express';
import { buildOpenApi } from '../openapi.ts';
import { problems } from '../problems.ts';

const swaggerFolder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
const pageFolder = fileURLToPath(new URL('../page/', import.meta.url));

const docsPage = `<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Segue API</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css"></head><body><div id="docs"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script><script src="/docs.js"></script></body></html>`;

/** Where the `type` of a problem leads. */
const problemsPage = `<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Segue API: problems</title>
</head><body><h1>Problems</h1><dl>
${Object.entries(problems)
  .map(([code, { status, title }]) => `<dt id="${code}">${code} (${status})</dt><dd>${title}</dd>`)
  .join('\n')}
</dl></body></html>`;

/** /openapi.json, /docs (Swagger UI, served from here), /docs/problems, and the page at /. */
export function docsRoutes(): Router {
  const description = buildOpenApi();
  const router = Router();
  router.get('/openapi.json', (_req, res) => {
    res.json(description);
  });
  router.get('/docs', (_req, res) => {
    res.type('html').send(docsPage);
  });
  router.get('/docs/problems', (_req, res) => {
    res.type('html').send(problemsPage);
  });
  router.use('/docs/assets', serveStatic(swaggerFolder, { index: false }));
  router.use(serveStatic(pageFolder));
  return router;
}
