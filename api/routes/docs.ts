import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Router, static as serveStatic } from 'express';
import { route, type Route } from '../http/route.ts';
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

/** /openapi.json, /docs (Swagger UI, served from here) and /docs/problems; `describe` writes the API's description. */
export function docsRoutes(describe: () => object): readonly Route[] {
  const page = (path: string, summary: string, html: string): Route =>
    route(
      {
        method: 'get',
        path,
        summary,
        access: 'public',
        isDescribed: false,
        answers: { 200: { mediaType: 'text/html' } },
      },
      (_input, res) => {
        res.type('html').send(html);
      },
    );
  return [
    route(
      {
        method: 'get',
        path: '/openapi.json',
        summary: 'This description',
        access: 'public',
        isDescribed: false,
        answers: { 200: {} },
      },
      (_input, res) => {
        res.json(describe());
      },
    ),
    page('/docs', 'The API to look at and to try out', docsPage),
    page('/docs/problems', 'Where the type of a problem leads', problemsPage),
  ];
}

/** The files of Swagger UI and of the page at /. */
export function pageFiles(): Router {
  return Router()
    .use('/docs/assets', serveStatic(swaggerFolder, { index: false }))
    .use(serveStatic(pageFolder));
}
