import { z } from 'zod';

/** The entry of a landing file in the load ledger, at `data/_control/initial_load/<file>.json`: its rows in bronze. */
export const loadedFile = z.object({
  file: z.string(),
  table: z.string(),
  sha256: z.string(),
  generation: z.number().int().nonnegative(),
  rows: z.number().int(),
  bronze: z.number().int(),
  quarantined: z.number().int(),
  tableVersion: z.number().int(),
  loadedAt: z.iso.datetime(),
});

/**
 * The entry of a processed weekly file, at `data/_control/weekly_trends/<weekEnd>/<generation>-<sha256>.json`. An entry
 * is never overwritten. The entry with the highest generation is the state of the week.
 */
export const weeklyEntry = z.object({
  file: z.string(),
  weekEnd: z.iso.date(),
  /** `reset` asks for the file to be read again; `rejected` is a person's word. */
  outcome: z.enum(['ingested', 'rejected', 'reset']),
  sha256: z.string(),
  /** Grows by 1 with each entry of a week. */
  generation: z.number().int().nonnegative(),
  rows: z.number().int(),
  bronze: z.number().int(),
  quarantined: z.number().int(),
  /** Version of bronze/fact_listening_events that has the rows; null where nothing was loaded. */
  tableVersion: z.number().int().nullable(),
  /** How the file looked in each place when it was taken: as long as that stays, it is not read again. */
  stamps: z.object({ directory: z.string().optional(), bucket: z.string().optional() }),
  workflowId: z.string(),
  runId: z.string(),
  recordedAt: z.iso.datetime(),
});

export type WeeklyEntry = z.infer<typeof weeklyEntry>;
