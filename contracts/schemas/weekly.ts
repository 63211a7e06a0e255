import { z } from 'zod';

/** What `POST /pipeline/weekly-trends/decisions` takes: a person's word on a weekly file that waits. */
export const weeklyDecisionInput = z.strictObject({
  file: z.string().regex(/^trends_\d{4}-\d{2}-\d{2}\.csv$/, 'name a weekly file: trends_YYYY-MM-DD.csv'),
  decision: z.enum(['accept', 'reject', 'replace']),
});
