import { z } from 'zod';

/**
 * A serving snapshot: immutable Arrow IPC files (file format) under `serving/snapshots/<modelVersion>/`, described by
 * `manifest.json` beside them. `serving/current.json` is the one pointer that says which is served.
 *
 * Kinds and the columns of their files:
 *   recommendations  user_id, rank, track_id, score, reason_type, reason_track_id; sorted by user_id, rank; a user is in
 *                    one shard only
 *   tracks           track_id, title, artist_id, artist_name, genre; one row per track, the catalogue
 *   similar          track_id, similar_track_id, score, rank; sorted by track_id, rank
 *   trending         week_end (string YYYY-MM-DD), rank, track_id, listen_count, unique_listeners, trend_score,
 *                    previous_rank; sorted by week_end, rank
 */
export const snapshotFileKinds = ['recommendations', 'tracks', 'similar', 'trending'] as const;

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

export const snapshotPointer = z.object({
  formatVersion: z.literal(1),
  modelVersion: z.string(),
  manifestKey: z.string(),
  manifestSha256: z.string(),
  publishedAt: z.string(),
  previous: z.object({ modelVersion: z.string(), manifestKey: z.string(), manifestSha256: z.string() }).nullable(),
  /** Fingerprint of the bronze versions and code the snapshot was made from: a refresh of the same is not needed. */
  inputs: z.string(),
});

export type SnapshotManifest = z.infer<typeof snapshotManifest>;
export type SnapshotPointer = z.infer<typeof snapshotPointer>;
