import { z } from 'zod';

/** One object per landing file at `data/_control/initial_load/<file>.json`: what bronze holds of it. */
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
