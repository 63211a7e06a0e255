import { lake } from '../../contracts/lake.ts';
import { snapshotManifest } from '../../contracts/schemas/snapshot.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { readPointer } from '../publication.ts';

const { serving } = lake.buckets;

/** A snapshot in the store. */
export interface StoredSnapshot {
  readonly modelVersion: string;
  /** Epoch ms: of the manifest, or of the version's name where half a snapshot lies; nothing where neither tells. */
  readonly generatedAt: number | undefined;
  readonly isWhole: boolean;
  readonly keys: readonly string[];
}

/** Every snapshot in the store, halves included. */
export async function listSnapshots(store: ObjectStore): Promise<readonly StoredSnapshot[]> {
  const keysOf = new Map<string, string[]>();
  for (const key of await store.list(serving, lake.prefixes.snapshots)) {
    const modelVersion = versionOf(key);
    keysOf.set(modelVersion, [...(keysOf.get(modelVersion) ?? []), key]);
  }
  return Promise.all([...keysOf].map(([modelVersion, keys]) => describeSnapshot(store, modelVersion, keys)));
}

async function describeSnapshot(
  store: ObjectStore,
  modelVersion: string,
  keys: readonly string[],
): Promise<StoredSnapshot> {
  const manifestKey = keys.find(isManifest);
  const manifest = manifestKey && (await store.get(serving, manifestKey));
  const generatedAt = manifest ? timeInManifest(manifest.body) : undefined;
  if (generatedAt === undefined) return { modelVersion, keys, isWhole: false, generatedAt: timeInName(modelVersion) };
  return { modelVersion, keys, isWhole: true, generatedAt };
}

/**
 * Undefined if the text is not a manifest. The API cannot serve such a snapshot, and the snapshot must not prevent the
 * removal of the remaining snapshots.
 */
function timeInManifest(body: Buffer): number | undefined {
  try {
    return Date.parse(snapshotManifest.parse(JSON.parse(body.toString('utf8'))).generatedAt);
  } catch {
    return undefined;
  }
}

/** The time in a model's version, which modelVersionOf puts there: als-20250107T031500-1a2b3c4d. */
function timeInName(modelVersion: string): number | undefined {
  const found = /(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})/.exec(modelVersion);
  if (!found) return undefined;
  const [, year, month, day, hour, minute, second] = found;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/**
 * Removes a snapshot unless it is served, and returns whether it is gone. The caller holds the lock of the jobs that
 * make snapshots. The manifest goes first: a folder without a manifest is not a snapshot, so an interrupted removal
 * leaves no snapshot that looks complete, and the next removal finishes the work. A rollback takes no lock: if the
 * pointer moves to this snapshot during the removal, the function restores the manifest.
 */
export async function removeSnapshot(store: ObjectStore, { modelVersion, keys }: StoredSnapshot): Promise<boolean> {
  if ((await servedVersion(store)) === modelVersion) return false;
  const manifestKey = keys.find(isManifest);
  const manifest = manifestKey && (await store.get(serving, manifestKey));
  if (manifest) {
    await store.remove(serving, manifestKey);
    if ((await servedVersion(store)) === modelVersion) {
      await store.put(serving, manifestKey, manifest.body);
      return false;
    }
  }
  for (const key of keys) if (!isManifest(key)) await store.remove(serving, key);
  return true;
}

/** The folder of the snapshot that is served, below `snapshots/`; undefined before anything was published. */
export async function servedVersion(store: ObjectStore): Promise<string | undefined> {
  const served = await readPointer(store);
  return served && versionOf(served.pointer.manifestKey);
}

function versionOf(key: string): string {
  return key.slice(lake.prefixes.snapshots.length).split('/')[0] ?? '';
}

function isManifest(key: string): boolean {
  return key.endsWith('/manifest.json');
}
