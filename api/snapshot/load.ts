import { createHash } from 'node:crypto';
import { tableFromIPC, type Table } from 'apache-arrow';
import { lake } from '../../contracts/lake.ts';
import { snapshotManifest, type SnapshotManifest, type SnapshotPointer } from '../../contracts/schemas/snapshot.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { Snapshot } from './snapshot.ts';

/** A snapshot that must not be served; the message says which object is wrong. */
export class BrokenSnapshot extends Error {
  override readonly name = 'BrokenSnapshot';
}

/** Where snapshots are read from. */
export type SnapshotSource = Pick<ObjectStore, 'get'>;

type ManifestFile = SnapshotManifest['files'][number];

/** The required columns of each kind of file. The loader refuses a wrong file before the API serves it. */
const requiredColumns: Readonly<Record<ManifestFile['kind'], readonly string[]>> = {
  recommendations: ['user_id', 'rank', 'track_id', 'score', 'reason_type', 'reason_track_id'],
  tracks: ['track_id', 'title', 'artist_name', 'genre'],
  users: ['user_id', 'tier', 'genres'],
  similar: ['track_id', 'similar_track_id', 'score', 'rank'],
  trending: ['week_end', 'rank', 'track_id', 'listen_count', 'unique_listeners', 'trend_score', 'previous_rank'],
  history: ['user_id', 'rank', 'event_id', 'track_id', 'event_type', 'timestamp'],
};

/** Reads the snapshot a pointer names, checking every object against the manifest; throws BrokenSnapshot. */
export async function loadSnapshot(store: SnapshotSource, pointer: SnapshotPointer): Promise<Snapshot> {
  const manifest = await readManifest(store, pointer);
  const tables = await Promise.all(manifest.files.map((file) => readTable(store, file)));
  const ofKind = (kind: ManifestFile['kind']): Table[] =>
    tables.filter((_, index) => manifest.files[index]!.kind === kind);
  const only = (kind: ManifestFile['kind']): Table => {
    const [table, ...others] = ofKind(kind);
    if (!table || others.length > 0)
      throw new BrokenSnapshot(`${pointer.manifestKey} names not one file of kind ${kind}`);
    return table;
  };
  return new Snapshot(manifest, {
    recommendations: ofKind('recommendations'),
    tracks: only('tracks'),
    users: ofKind('users'),
    similar: only('similar'),
    trending: only('trending'),
    history: ofKind('history'),
  });
}

async function readManifest(store: SnapshotSource, pointer: SnapshotPointer): Promise<SnapshotManifest> {
  const body = await readChecked(store, pointer.manifestKey, pointer.manifestSha256);
  const parsed = snapshotManifest.safeParse(JSON.parse(body.toString('utf8')));
  if (!parsed.success) throw new BrokenSnapshot(`${pointer.manifestKey}: ${parsed.error.message}`);
  return parsed.data;
}

async function readTable(store: SnapshotSource, file: ManifestFile): Promise<Table> {
  const table = tableFromIPC(await readChecked(store, file.key, file.sha256));
  const missing = requiredColumns[file.kind].filter((name) => !table.getChild(name));
  if (missing.length > 0) throw new BrokenSnapshot(`${file.key} lacks ${missing.join(', ')}`);
  if (table.numRows !== file.rows) throw new BrokenSnapshot(`${file.key} has ${table.numRows} rows, not ${file.rows}`);
  return table;
}

async function readChecked(store: SnapshotSource, key: string, sha256: string): Promise<Buffer> {
  const object = await store.get(lake.buckets.serving, key);
  if (!object) throw new BrokenSnapshot(`serving/${key} is missing`);
  const found = createHash('sha256').update(object.body).digest('hex');
  if (found !== sha256) throw new BrokenSnapshot(`serving/${key} is not what its manifest says`);
  return object.body;
}
