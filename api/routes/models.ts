import { z } from 'zod';
import type { RollbackResult } from '../../contracts/runs.ts';
import type { ApiDeps } from '../deps.ts';
import { jsonBody } from '../http/body.ts';
import { idParam } from '../http/params.ts';
import { route, type Route } from '../http/route.ts';
import { ModelNotPublished, RollbackRefused, type ModelListing } from '../models.ts';
import { Problem } from '../problems.ts';

const modelsShape = z.object({
  served: z.string().nullable(),
  items: z.array(
    z.object({
      model_version: z.string(),
      recorded_at: z.string(),
      promoted: z.boolean(),
      why: z.string(),
      measures: z.record(z.string(), z.number()),
      can_be_served: z.boolean(),
      is_served: z.boolean(),
    }),
  ),
  history: z.array(
    z.object({ model_version: z.string(), published_at: z.string(), by: z.enum(['refresh', 'rollback']) }),
  ),
});
const rollbackShape = z.object({
  model_version: z.string(),
  previous: z.string().nullable(),
  outcome: z.enum(['published', 'unchanged']),
});

/**
 * GET /pipeline/models: every model, the reason why it is served or not, and the history of publications. POST
 * /pipeline/rollback.
 */
export function modelRoutes(deps: ApiDeps): readonly Route[] {
  return [
    route(
      {
        method: 'get',
        path: '/pipeline/models',
        summary: 'The models that were trained, why each is served or not, and what was published when',
        answers: { 200: { schema: modelsShape } },
      },
      async (_input, res) => {
        res.json(describe(await deps.models.list()));
      },
    ),
    route(
      {
        method: 'post',
        path: '/pipeline/rollback',
        summary: 'Serve a published model again, at once',
        body: jsonBody(z.strictObject({ model_version: idParam }), '100 kB'),
        answers: { 200: { schema: rollbackShape } },
        away: 'temporal_away',
      },
      async ({ body: { model_version: modelVersion } }, res) => {
        const { previous, outcome } = await rollBack(deps, modelVersion);
        res.json({ model_version: modelVersion, previous, outcome });
      },
    ),
  ];
}

function describe({ pointer, models }: ModelListing): object {
  const history = pointer?.history.map(({ modelVersion, publishedAt, by }) => ({
    model_version: modelVersion,
    published_at: publishedAt,
    by,
  }));
  return {
    served: pointer?.modelVersion ?? null,
    items: models.map(({ modelVersion, recordedAt, promoted, why, measures, snapshot }) => ({
      model_version: modelVersion,
      recorded_at: recordedAt,
      promoted,
      why,
      measures,
      can_be_served: snapshot !== null,
      is_served: modelVersion === pointer?.modelVersion,
    })),
    history: history ?? [],
  };
}

async function rollBack(deps: ApiDeps, modelVersion: string): Promise<RollbackResult> {
  try {
    return await deps.models.rollBack(modelVersion);
  } catch (cause) {
    if (cause instanceof ModelNotPublished) throw new Problem('unknown_model', { detail: cause.message, cause });
    if (cause instanceof RollbackRefused) throw new Problem('rollback_refused', { detail: cause.message, cause });
    throw new Problem('temporal_away', { headers: { 'Retry-After': '5' }, cause });
  }
}
