import { tableFromIPC } from 'apache-arrow';
import { lake } from '../../contracts/lake.ts';
import { snapshotManifest, type SnapshotManifest } from '../../contracts/schemas/snapshot.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { readPointer } from '../publication.ts';

const { serving } = lake.buckets;

/** The kinds of files that name users, the smallest first. */
const kindsWithUsers: readonly SnapshotManifest['files'][number]['kind'][] = ['users', 'history', 'recommendations'];

/**
 * True if a file of the served snapshot names this user. The search reads the files in turn and stops at the first hit.
 */
export async function isUserServed(store: ObjectStore, userId: string): Promise<boolean> {
  const served = await readPointer(store);
  const manifest = served && (await store.get(serving, served.pointer.manifestKey));
  if (!manifest) return false;
  const { files } = snapshotManifest.parse(JSON.parse(manifest.body.toString('utf8')));
  for (const kind of kindsWithUsers) {
    for (const file of files) {
      if (file.kind === kind && (await namesUser(store, file.key, userId))) return true;
    }
  }
  return false;
}

async function namesUser(store: ObjectStore, key: string, userId: string): Promise<boolean> {
  const file = await store.get(serving, key);
  return file !== undefined && (tableFromIPC(file.body).getChild('user_id')?.indexOf(userId) ?? -1) >= 0;
}
