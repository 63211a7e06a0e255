import { z } from 'zod';
import type { ApiDeps } from '../deps.ts';
import { orTemporalAway } from '../http/away.ts';
import { idParam } from '../http/params.ts';
import { route, type Route } from '../http/route.ts';
import { answerAccepted, startedShape } from '../http/started.ts';

/**
 * DELETE /users/:userId: forgets a user in all places. Answers 202 with the Location of the run, whose result is the
 * receipt.
 */
export function forgetRoutes(deps: ApiDeps): readonly Route[] {
  return [
    route(
      {
        method: 'delete',
        path: '/users/:userId',
        summary: 'Forget a user everywhere; the run answers with a receipt',
        params: z.object({ userId: idParam }),
        answers: { 202: { schema: startedShape } },
        away: 'temporal_away',
      },
      async ({ params: { userId } }, res) => {
        const { workflowId, isNew } = await orTemporalAway(deps.pipeline.forget(userId));
        // This process applies the mark at once. The remaining processes see the list within seconds.
        deps.view.forget(userId);
        deps.hub.forgetWhere((known) => known === userId);
        answerAccepted(res, workflowId, { started: isNew });
      },
    ),
  ];
}
