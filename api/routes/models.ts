import { Router, type RequestHandler } from 'express';
import { z } from 'zod';
import type { RollbackResult } from '../../contracts/runs.ts';
import { readJson } from '../body.ts';
import type { ApiDeps } from '../deps.ts';
import { ModelNotPublished, RollbackRefused, type ModelListing } from '../models.ts';
import { idParam, parseInput } from '../parse.ts';
import { Problem } from '../problems.ts';

const rollbackRequest = z.strictObject({ model_version: idParam });

/** GET /pipeline/models: every model, why it is served or not, what was published when. POST /pipeline/rollback. */
export function modelRoutes(deps: ApiDeps, authorize: RequestHandler): Router {
  const router = Router();
  router.get('/pipeline/models', async (_req, res) => {
    res.json(describe(await deps.models.list()));
  });
  router.post('/pipeline/rollback', authorize, readJson('100 kB'), async (req, res) => {
    const { model_version: modelVersion } = parseInput(rollbackRequest, req.body);
    const { previous, outcome } = await rollBack(deps, modelVersion);
    res.json({ model_version: modelVersion, previous, outcome });
  });
  return router;
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
