import { z } from 'zod';

/**
 * A serving snapshot: immutable Arrow IPC files (file format) under `serving/snapshots/<modelVersion>/`, described by
 * `manifest.json` beside them. `serving/current.json` is the one pointer that says which is served.
 *
 * Kinds and the columns of their files:
 *   recommendations  user_id, rank, track_id, score, reason_type, reason_track_id; sorted by user_id, rank; a user is in
 *                    one shard only
 *   tracks           track_id, title, artist_id, artist_name, genre; one row per track, the catalogue
 *   users            user_id, tier (personal, or cold_start for one of whom little is known), genres (the preferred ones, a
 *                    comma list, or null); one row per user there is; snapshots of before this was added have no such file
 *   similar          track_id, similar_track_id, score, rank; sorted by track_id, rank
 *   trending         week_end (string YYYY-MM-DD), rank, track_id, listen_count, unique_listeners, trend_score,
 *                    previous_rank; sorted by week_end, rank
 *   history          user_id, rank, event_id, track_id, event_type, timestamp (ISO 8601, UTC); each user's last 50 plays in the
 *                    data's last four weeks, the newest first; snapshots of before this was added have no such file
 */
export const snapshotFileKinds = ['recommendations', 'tracks', 'users', 'similar', 'trending', 'history'] as const;

export const snapshotManifest = z.object({
  formatVersion: z.literal(1),
  modelVersion: z.string(),
  generatedAt: z.string(),
  lineage: z.array(z.object({ table: z.string(), version: z.number().int() })),
  counts: z.object({ users: z.number().int(), recommendations: z.number().int(), tracks: z.number().int() }),
  files: z.array(
    z.object({
      key: z.string().describe('key in the serving bucket'),
      kind: z.enum(snapshotFileKinds),
      rows: z.number().int(),
      sizeBytes: z.number().int(),
      sha256: z.string(),
    }),
  ),
});

const publication = z.object({
  modelVersion: z.string(),
  publishedAt: z.string(),
  /** 'refresh' for a model that passed its evaluation, 'rollback' for a model that an operator chose. */
  by: z.enum(['refresh', 'rollback']),
});

export const snapshotPointer = z.object({
  formatVersion: z.literal(1),
  modelVersion: z.string(),
  manifestKey: z.string(),
  manifestSha256: z.string(),
  publishedAt: z.string(),
  previous: z.object({ modelVersion: z.string(), manifestKey: z.string(), manifestSha256: z.string() }).nullable(),
  /** Fingerprint of the bronze versions and code the last refresh went by: a refresh of the same is not needed. */
  inputs: z.string(),
  /** The last refresh with a refused model: a refresh of the same inputs would have the same result. */
  refused: z.object({ modelVersion: z.string(), inputs: z.string(), why: z.string() }).optional(),
  /** The last publications, newest first; part of the pointer, so that it cannot disagree with it. */
  history: z.array(publication).default([]),
});

/** Publications a pointer remembers. */
export const rememberedPublications = 100;

/**
 * A trained model, promoted or not: `serving/models/<modelVersion>.json`. The refresh writes it before the API serves
 * the model.
 */
export const modelRecord = z.object({
  formatVersion: z.literal(1),
  modelVersion: z.string(),
  recordedAt: z.string(),
  promoted: z.boolean(),
  why: z.string(),
  /** The figures the decision was made by. */
  measures: z.record(z.string(), z.number()),
  /** Where its snapshot lies; null for a model that has none because it was not promoted. */
  snapshot: z.object({ manifestKey: z.string(), manifestSha256: z.string() }).nullable(),
});

export type SnapshotManifest = z.infer<typeof snapshotManifest>;
export type ModelRecord = z.infer<typeof modelRecord>;
export type SnapshotPointer = z.infer<typeof snapshotPointer>;
