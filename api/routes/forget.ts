import { Router, type RequestHandler } from 'express';
import { z } from 'zod';
import type { ApiDeps } from '../deps.ts';
import { idParam, parseInput } from '../parse.ts';
import { Problem } from '../problems.ts';

const request = z.object({ userId: idParam });

/** DELETE /users/:userId: forgets a user everywhere; 202 + Location of the run, whose result is the receipt. */
export function forgetRoutes(deps: ApiDeps, authorize: RequestHandler): Router {
  return Router().delete('/users/:userId', authorize, async (req, res) => {
    const { userId } = parseInput(request, req.params);
    const { workflowId, isNew } = await orAway(deps.pipeline.forget(userId));
    // This process need not wait until it sees the list; the others do in seconds.
    deps.view.forget(userId);
    deps.hub.forgetWhere((known) => known === userId);
    const location = `/pipeline/runs/${workflowId}`;
    res.status(202).location(location).json({ workflow_id: workflowId, started: isNew, location });
  });
}

async function orAway<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (cause) {
    throw new Problem('temporal_away', { headers: { 'Retry-After': '5' }, cause });
  }
}
