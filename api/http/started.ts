import type { Response } from 'express';
import { z } from 'zod';

/** A started run, or the open run that the request joined. */
export const startedShape = z.object({ workflow_id: z.string(), started: z.boolean(), location: z.string() });

/** Answers 202 with the address of a run, in the header Location and beside `fields` in the body. */
export function answerAccepted(
  response: Response,
  workflowId: string,
  fields: Readonly<Record<string, unknown>>,
): void {
  const location = `/pipeline/runs/${workflowId}`;
  response
    .status(202)
    .location(location)
    .json({ workflow_id: workflowId, ...fields, location });
}
