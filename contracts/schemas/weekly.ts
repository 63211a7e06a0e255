import { z } from 'zod';

/** The body of `POST /pipeline/weekly-trends/decisions`: a person's decision on a waiting weekly file. */
export const weeklyDecisionInput = z.strictObject({
  file: z.string().regex(/^trends_\d{4}-\d{2}-\d{2}\.csv$/, 'name a weekly file: trends_YYYY-MM-DD.csv'),
  decision: z.enum(['accept', 'reject', 'replace']),
});
