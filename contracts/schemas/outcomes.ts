import { z } from 'zod';

/** The outcomes of the shown tracks for a tier, a reason and a model. Rates are shares of the impressions. */
export const outcomeGroup = z.object({
  tier: z.string(),
  reasonType: z.string().nullable(),
  modelVersion: z.string(),
  impressions: z.number().int(),
  answers: z.number().int(),
  clicked: z.number().int(),
  skipped: z.number().int(),
});

/** The object serving/outcomes.json, which the API answers from. */
export const outcomeReport = z.object({
  formatVersion: z.literal(1),
  measuredAt: z.iso.datetime(),
  windowHours: z.number().int(),
  groups: z.array(outcomeGroup),
});

export type OutcomeReport = z.infer<typeof outcomeReport>;
