import { createHash } from 'node:crypto';
import { tableFromJSON, tableToIPC } from 'apache-arrow';
import type { ExportedSnapshot } from '../../contracts/activities.ts';
import { lake } from '../../contracts/lake.ts';
import type { SnapshotManifest, SnapshotPointer } from '../../contracts/schemas/snapshot.ts';
import type { ObjectStore } from '../../platform/object-store.ts';

const { serving } = lake.buckets;

type Row = Record<string, string | number | null>;
type Kind = SnapshotManifest['files'][number]['kind'];

/** What a test snapshot says: user 1 has two tracks, user 2 one; three tracks, two weeks of charts. */
export function smallTables(modelVersion: string): Readonly<Record<Kind, readonly Row[]>> {
  const reason = { reason_type: 'because_you_played', reason_track_id: 't3' };
  return {
    recommendations: [
      { user_id: '1', rank: 1, track_id: 't1', score: 0.9, ...reason, model_version: modelVersion },
      {
        user_id: '1',
        rank: 2,
        track_id: 't2',
        score: 0.5,
        reason_type: 'trending_in_genre',
        reason_track_id: null,
        model_version: modelVersion,
      },
      {
        user_id: '2',
        rank: 1,
        track_id: 't3',
        score: 0.7,
        reason_type: 'artist_you_play',
        reason_track_id: null,
        model_version: modelVersion,
      },
    ],
    tracks: [
      { track_id: 't1', title: 'Café del Mar', artist_id: 'a1', artist_name: 'Renée', genre: 'ambient' },
      { track_id: 't2', title: 'Golden, Train', artist_id: 'a2', artist_name: 'Los Ríos', genre: 'rock' },
      { track_id: 't3', title: '夜の海', artist_id: 'a3', artist_name: '東京', genre: 'jazz' },
    ],
    users: [
      { user_id: '1', tier: 'personal', genres: null },
      { user_id: '2', tier: 'cold_start', genres: null },
      { user_id: '3', tier: 'cold_start', genres: 'folk, rock' },
    ],
    similar: [
      { track_id: 't1', similar_track_id: 't3', score: 0.8, rank: 1 },
      { track_id: 't1', similar_track_id: 't2', score: 0.3, rank: 2 },
    ],
    history: [
      {
        user_id: '2',
        rank: 1,
        event_id: 'past-2',
        track_id: 't2',
        event_type: 'like',
        timestamp: '2024-12-31T20:00:00Z',
      },
      {
        user_id: '2',
        rank: 2,
        event_id: 'past-1',
        track_id: 't1',
        event_type: 'complete_listen',
        timestamp: '2024-12-30T20:00:00Z',
      },
    ],
    trending: [
      {
        week_end: '2024-12-24',
        rank: 1,
        track_id: 't2',
        listen_count: 9,
        unique_listeners: 4,
        trend_score: 3,
        previous_rank: null,
      },
      {
        week_end: '2024-12-31',
        rank: 1,
        track_id: 't1',
        listen_count: 12,
        unique_listeners: 5,
        trend_score: 4.5,
        previous_rank: 2,
      },
      {
        week_end: '2024-12-31',
        rank: 2,
        track_id: 't2',
        listen_count: 8,
        unique_listeners: 3,
        trend_score: 2.5,
        previous_rank: 1,
      },
    ],
  };
}

/** Writes a snapshot as the export job does; nothing is served of it yet. */
export async function exportSnapshot(
  store: ObjectStore,
  modelVersion: string,
  tables = smallTables(modelVersion),
): Promise<ExportedSnapshot & { readonly manifest: SnapshotManifest }> {
  const folder = `${lake.prefixes.snapshots}${modelVersion}`;
  const files: SnapshotManifest['files'] = [];
  for (const kind of Object.keys(tables) as Kind[]) {
    const body = Buffer.from(tableToIPC(tableFromJSON([...tables[kind]]), 'file'));
    const key = `${folder}/${kind}.arrow`;
    await store.put(serving, key, body);
    files.push({ key, kind, rows: tables[kind].length, sizeBytes: body.length, sha256: sha256(body) });
  }
  const manifest: SnapshotManifest = {
    formatVersion: 1,
    modelVersion,
    generatedAt: '2025-01-01T00:00:00Z',
    lineage: [{ table: 'gold/user_recommendations', version: 0 }],
    counts: { users: 2, recommendations: tables.recommendations.length, tracks: tables.tracks.length },
    files,
  };
  const body = JSON.stringify(manifest);
  const manifestKey = `${folder}/manifest.json`;
  await store.put(serving, manifestKey, body);
  return { modelVersion, manifestKey, manifestSha256: sha256(body), manifest };
}

/** Writes a snapshot and moves the pointer to it. */
export async function publishSnapshot(
  store: ObjectStore,
  modelVersion: string,
  tables = smallTables(modelVersion),
): Promise<SnapshotManifest> {
  const { manifest, manifestKey, manifestSha256 } = await exportSnapshot(store, modelVersion, tables);
  const publishedAt = '2025-01-01T00:00:00Z';
  const pointer: SnapshotPointer = {
    formatVersion: 1,
    modelVersion,
    manifestKey,
    manifestSha256,
    publishedAt,
    previous: null,
    inputs: 'test',
    history: [{ modelVersion, publishedAt, by: 'refresh' }],
  };
  await store.put(serving, lake.prefixes.pointer, JSON.stringify(pointer));
  return manifest;
}

function sha256(body: string | Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}
