import { createHash } from 'node:crypto';
import type { ExportedSnapshot, PublicationActivities, PublishedSnapshot } from '../contracts/activities.ts';
import { lake } from '../contracts/lake.ts';
import {
  snapshotManifest,
  snapshotPointer,
  type SnapshotManifest,
  type SnapshotPointer,
} from '../contracts/schemas/snapshot.ts';
import { ConditionFailed, type ObjectStore } from '../platform/object-store.ts';
import { latestVersion } from './delta-log.ts';
import { failure } from './failures.ts';

const { serving } = lake.buckets;

/** What publishing needs; `codeVersion` changes with the jobs' code and settings. */
export interface PublicationDeps {
  readonly store: ObjectStore;
  readonly codeVersion: string;
  readonly now: () => Date;
}

/** The activities that decide whether a refresh is needed and that move the pointer to a new snapshot. */
export function createPublicationActivities(deps: PublicationDeps): PublicationActivities {
  return {
    describeRefresh: async () => {
      const [inputs, published] = await Promise.all([fingerprint(deps), describePublished(deps.store)]);
      return { inputs, ...(published && { published }) };
    },
    publishSnapshot: ({ snapshot, inputs }) => publish(deps, snapshot, inputs),
  };
}

/** Bronze tables that no refresh reads: what was recommended says nothing of what people like. */
const notRead: readonly string[] = ['recommendation_events'];

async function fingerprint({ store, codeVersion }: PublicationDeps): Promise<string> {
  const bronze = lake.tables.filter((table) => table.layer === 'bronze' && !notRead.includes(table.name));
  const versions = await Promise.all(
    bronze.map(async ({ name }) => `${name}@${(await latestVersion(store, `bronze/${name}`)) ?? 'none'}`),
  );
  return createHash('sha256')
    .update([codeVersion, ...versions].join('\n'))
    .digest('hex');
}

async function describePublished(store: ObjectStore): Promise<PublishedSnapshot | undefined> {
  const current = await readPointer(store);
  if (!current) return undefined;
  const { modelVersion, inputs, manifestKey } = current.pointer;
  const object = await store.get(serving, manifestKey);
  if (!object) return undefined;
  const { counts } = snapshotManifest.parse(JSON.parse(object.body.toString('utf8')));
  return { modelVersion, inputs, users: counts.users, recommendations: counts.recommendations };
}

async function readPointer(store: ObjectStore): Promise<{ pointer: SnapshotPointer; etag: string } | undefined> {
  const object = await store.get(serving, lake.prefixes.pointer);
  if (!object) return undefined;
  return { pointer: snapshotPointer.parse(JSON.parse(object.body.toString('utf8'))), etag: object.etag };
}

async function publish(deps: PublicationDeps, snapshot: ExportedSnapshot, inputs: string): Promise<void> {
  await verify(deps.store, snapshot);
  const current = await readPointer(deps.store);
  if (current?.pointer.manifestSha256 === snapshot.manifestSha256) return;
  const pointer: SnapshotPointer = {
    formatVersion: 1,
    modelVersion: snapshot.modelVersion,
    manifestKey: snapshot.manifestKey,
    manifestSha256: snapshot.manifestSha256,
    publishedAt: deps.now().toISOString(),
    previous: current ? previousOf(current.pointer) : null,
    inputs,
  };
  await movePointer(deps.store, pointer, current?.etag);
}

function previousOf({ modelVersion, manifestKey, manifestSha256 }: SnapshotPointer): SnapshotPointer['previous'] {
  return { modelVersion, manifestKey, manifestSha256 };
}

async function movePointer(store: ObjectStore, pointer: SnapshotPointer, etag: string | undefined): Promise<void> {
  const condition = etag === undefined ? ({ ifAbsent: true } as const) : { ifEtag: etag };
  try {
    await store.put(serving, lake.prefixes.pointer, `${JSON.stringify(pointer, null, 2)}\n`, condition);
  } catch (cause) {
    if (!(cause instanceof ConditionFailed)) throw cause;
    throw failure(
      'PublicationConflict',
      `Another publication moved serving/${lake.prefixes.pointer} while ${pointer.modelVersion} was being published; tried again.`,
      { cause },
    );
  }
}

async function verify(store: ObjectStore, snapshot: ExportedSnapshot): Promise<void> {
  const manifestBody = await readChecked(store, snapshot.manifestKey, snapshot.manifestSha256);
  const manifest = parseManifest(snapshot, manifestBody);
  for (const file of manifest.files) await readChecked(store, file.key, file.sha256);
}

function parseManifest(snapshot: ExportedSnapshot, body: Buffer): SnapshotManifest {
  const parsed = snapshotManifest.safeParse(JSON.parse(body.toString('utf8')));
  if (parsed.success) return parsed.data;
  throw failure('SnapshotInvalid', `serving/${snapshot.manifestKey} is no manifest: ${parsed.error.message}`);
}

async function readChecked(store: ObjectStore, key: string, sha256: string): Promise<Buffer> {
  const object = await store.get(serving, key);
  const found = object && createHash('sha256').update(object.body).digest('hex');
  if (object && found === sha256) return object.body;
  throw failure(
    'SnapshotInvalid',
    `serving/${key} is ${object ? 'not what its manifest says' : 'missing'}; the snapshot served until now stays. Start refreshRecommendations again.`,
    { details: [{ key, expected: sha256, found: found ?? null }] },
  );
}
