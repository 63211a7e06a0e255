import { z } from 'zod';

/** Parts of answers that several routes share. */

export const trackShape = z.object({
  track_id: z.string(),
  title: z.string(),
  artist_name: z.string(),
  genre: z.string().nullable(),
});

/** A track and its place in a list, from 1. */
export const rankedTrackShape = trackShape.extend({ score: z.number(), rank: z.number().int() });
