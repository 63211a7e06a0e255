import { Router, type RequestHandler } from 'express';
import { weeklyDecisionInput } from '../../contracts/schemas/weekly.ts';
import type { WeeklyDecision } from '../../contracts/weekly.ts';
import { readJson } from '../body.ts';
import { idParam, parseInput } from '../parse.ts';
import type { ApiDeps } from '../deps.ts';
import { DecisionRefused, NothingToDecide, startableRuns, type StartableRun } from '../pipeline.ts';
import { Problem } from '../problems.ts';

/** Starting runs (202 + Location) and looking at them. */
export function pipelineRoutes(deps: ApiDeps, authorize: RequestHandler): Router {
  const router = Router();
  for (const run of Object.keys(startableRuns) as StartableRun[]) {
    router.post(`/pipeline/${run}`, authorize, async (_req, res) => {
      const { workflowId, isNew } = await orAway(deps.pipeline.start(run));
      const location = `/pipeline/runs/${workflowId}`;
      res.status(202).location(location).json({ workflow_id: workflowId, started: isNew, location });
    });
  }
  router.post('/pipeline/weekly-trends/decisions', authorize, readJson('100 kB'), async (req, res) => {
    const { file, decision } = parseInput(weeklyDecisionInput, req.body);
    const { workflowId } = await decide(deps, file, decision);
    const location = `/pipeline/runs/${workflowId}`;
    res.status(202).location(location).json({ workflow_id: workflowId, file, decision, location });
  });
  router.get('/pipeline/runs', async (_req, res) => {
    res.json({ items: await orAway(deps.pipeline.list()) });
  });
  router.get('/pipeline/runs/*workflowId', async (req, res) => {
    const workflowId = parseInput(idParam, req.params.workflowId.join('/'));
    const run = await orAway(deps.pipeline.describe(workflowId));
    if (!run)
      throw new Problem('unknown_run', { detail: `No run ${workflowId}; GET /pipeline/runs lists the last ones` });
    res.json(run);
  });
  return router;
}

async function decide(deps: ApiDeps, file: string, decision: WeeklyDecision): Promise<{ workflowId: string }> {
  const weekEnd = file.slice('trends_'.length, -'.csv'.length);
  try {
    return await deps.pipeline.decide(weekEnd, decision);
  } catch (cause) {
    if (cause instanceof NothingToDecide) {
      throw new Problem('nothing_to_decide', { detail: `${file} does not wait for a decision`, cause });
    }
    if (cause instanceof DecisionRefused) throw new Problem('decision_refused', { detail: cause.message, cause });
    throw new Problem('temporal_away', {
      detail: 'It is not known whether the decision was taken; GET /pipeline/runs shows whether the file still waits',
      headers: { 'Retry-After': '5' },
      cause,
    });
  }
}

async function orAway<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (cause) {
    throw new Problem('temporal_away', { headers: { 'Retry-After': '5' }, cause });
  }
}
