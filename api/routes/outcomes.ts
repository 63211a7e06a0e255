import { z } from 'zod';
import type { OutcomeReport } from '../../contracts/schemas/outcomes.ts';
import type { ApiDeps } from '../deps.ts';
import { route, type Route } from '../http/route.ts';
import { Problem } from '../problems.ts';

const outcomesShape = z.object({
  measured_at: z.string(),
  window_hours: z.number().int(),
  items: z.array(
    z.object({
      tier: z.string(),
      reason_type: z.string().nullable(),
      model_version: z.string(),
      answers: z.number().int(),
      impressions: z.number().int(),
      clicked: z.number().int(),
      skipped: z.number().int(),
      click_through_rate: z.number(),
      skip_rate: z.number(),
    }),
  ),
});

/** GET /pipeline/outcomes: the outcomes of recommended tracks, from the last measurement. */
export function outcomeRoutes(deps: ApiDeps): readonly Route[] {
  return [
    route(
      {
        method: 'get',
        path: '/pipeline/outcomes',
        summary: 'What became of recommended tracks: click-through and skip rate by tier, reason and model',
        answers: { 200: { schema: outcomesShape } },
      },
      (_input, res) => {
        const report = deps.outcomes.current;
        if (!report) {
          throw new Problem('nothing_measured', {
            detail: 'Start the workflow measureOutcomes, which also runs once a day',
          });
        }
        const { measuredAt, windowHours, groups } = report;
        res.json({ measured_at: measuredAt, window_hours: windowHours, items: groups.map(toItem) });
      },
    ),
  ];
}

function toItem(group: OutcomeReport['groups'][number]) {
  const { tier, reasonType, modelVersion, impressions, answers, clicked, skipped } = group;
  return {
    tier,
    reason_type: reasonType,
    model_version: modelVersion,
    answers,
    impressions,
    clicked,
    skipped,
    click_through_rate: share(clicked, impressions),
    skip_rate: share(skipped, impressions),
  };
}

/** A share to four places; 0 of nothing. */
function share(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 10_000;
}
