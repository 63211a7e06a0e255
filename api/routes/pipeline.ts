import { z } from 'zod';
import { weeklyDecisionInput } from '../../contracts/schemas/weekly.ts';
import type { WeeklyDecision } from '../../contracts/weekly.ts';
import type { ApiDeps } from '../deps.ts';
import { orTemporalAway } from '../http/away.ts';
import { jsonBody } from '../http/body.ts';
import { idParam } from '../http/params.ts';
import { route, type Route } from '../http/route.ts';
import { answerAccepted, startedShape } from '../http/started.ts';
import { DecisionRefused, NothingToDecide, startableRuns, type StartableRun } from '../pipeline.ts';
import { Problem } from '../problems.ts';

const runShape = z.object({
  workflow_id: z.string(),
  run_id: z.string(),
  type: z.string(),
  status: z.string(),
  started_at: z.string(),
  closed_at: z.string().nullable(),
  progress: z.record(z.string(), z.unknown()).nullable(),
});

/** Starting runs (202 + Location), deciding about weekly files, and looking at runs. */
export function pipelineRoutes(deps: ApiDeps): readonly Route[] {
  const runs = Object.keys(startableRuns) as StartableRun[];
  return [...runs.map((run) => startRoute(deps, run)), decisionRoute(deps), ...runRoutes(deps)];
}

function startRoute(deps: ApiDeps, run: StartableRun): Route {
  return route(
    {
      method: 'post',
      path: `/pipeline/${run}`,
      summary: `Start ${startableRuns[run].type}, or join the open run`,
      answers: { 202: { schema: startedShape } },
      away: 'temporal_away',
    },
    async (_input, res) => {
      const { workflowId, isNew } = await orTemporalAway(deps.pipeline.start(run));
      answerAccepted(res, workflowId, { started: isNew });
    },
  );
}

function decisionRoute(deps: ApiDeps): Route {
  return route(
    {
      method: 'post',
      path: '/pipeline/weekly-trends/decisions',
      summary:
        'Decide about a weekly file that waits: accept it with its bad rows in quarantine, reject it, or read it again',
      body: jsonBody(weeklyDecisionInput, '100 kB'),
      answers: {
        202: {
          schema: z.object({ workflow_id: z.string(), file: z.string(), decision: z.string(), location: z.string() }),
        },
      },
      away: 'temporal_away',
    },
    async ({ body: { file, decision } }, res) => {
      const { workflowId } = await decide(deps, file, decision);
      answerAccepted(res, workflowId, { file, decision });
    },
  );
}

function runRoutes(deps: ApiDeps): readonly Route[] {
  return [
    route(
      {
        method: 'get',
        path: '/pipeline/runs',
        summary: 'The last runs',
        answers: { 200: { schema: z.object({ items: z.array(runShape) }) } },
        away: 'temporal_away',
      },
      async (_input, res) => {
        res.json({ items: await orTemporalAway(deps.pipeline.list()) });
      },
    ),
    route(
      {
        method: 'get',
        path: '/pipeline/runs/*workflowId',
        summary: 'One run',
        params: z.object({ workflowId: idParam }),
        answers: { 200: { schema: runShape } },
        away: 'temporal_away',
      },
      async ({ params: { workflowId } }, res) => {
        const run = await orTemporalAway(deps.pipeline.describe(workflowId));
        if (!run)
          throw new Problem('unknown_run', { detail: `No run ${workflowId}; GET /pipeline/runs lists the last ones` });
        res.json(run);
      },
    ),
  ];
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
