import { createHash } from 'node:crypto';
import type {
  ExportedSnapshot,
  Judgement,
  PublicationActivities,
  PublishedSnapshot,
  RefusedModel,
} from '../contracts/activities.ts';
import { lake } from '../contracts/lake.ts';
import type { RollbackResult } from '../contracts/runs.ts';
import {
  rememberedPublications,
  snapshotManifest,
  snapshotPointer,
  type SnapshotManifest,
  type SnapshotPointer,
} from '../contracts/schemas/snapshot.ts';
import { ConditionFailed, type ObjectStore } from '../platform/object-store.ts';
import { latestFilledVersion } from './delta-log.ts';
import { failure } from './failures.ts';
import { readModel, recordModel } from './model-records.ts';

const { serving } = lake.buckets;

/** The dependencies of publication. `codeVersion` changes with the jobs' code and settings. */
export interface PublicationDeps {
  readonly store: ObjectStore;
  readonly codeVersion: string;
  readonly now: () => Date;
}

type Target = Pick<SnapshotPointer, 'modelVersion' | 'manifestKey' | 'manifestSha256'>;
type Placed = { readonly pointer: SnapshotPointer; readonly etag: string };

/** The activities that decide whether a refresh is needed and that move the pointer: to a new snapshot, or back. */
export function createPublicationActivities(deps: PublicationDeps): PublicationActivities {
  return {
    describeRefresh: () => describeRefresh(deps),
    publishSnapshot: ({ snapshot, inputs, judgement }) => publish(deps, snapshot, inputs, judgement),
    recordRefusal: ({ judgement, inputs }) => recordRefusal(deps, judgement, inputs),
    rollBack: ({ modelVersion }) => rollBack(deps, modelVersion),
  };
}

async function describeRefresh(deps: PublicationDeps): ReturnType<PublicationActivities['describeRefresh']> {
  const [inputs, current] = await Promise.all([fingerprint(deps), readPointer(deps.store)]);
  const published = current && (await describePublished(deps.store, current.pointer));
  const refused = current?.pointer.refused;
  return { inputs, ...(published && { published }), ...(refused && { refused }) };
}

/** Bronze tables that no refresh reads: a recommendation does not show that the user likes the track. */
const notRead: readonly string[] = ['recommendation_events'];

async function fingerprint({ store, codeVersion }: PublicationDeps): Promise<string> {
  const bronze = lake.tables.filter((table) => table.layer === 'bronze' && !notRead.includes(table.name));
  const versions = await Promise.all(
    bronze.map(async ({ name }) => `${name}@${(await latestFilledVersion(store, `bronze/${name}`)) ?? 'none'}`),
  );
  return createHash('sha256')
    .update([codeVersion, ...versions].join('\n'))
    .digest('hex');
}

async function describePublished(store: ObjectStore, pointer: SnapshotPointer): Promise<PublishedSnapshot | undefined> {
  const { modelVersion, inputs, manifestKey } = pointer;
  const object = await store.get(serving, manifestKey);
  if (!object) return undefined;
  const { counts } = snapshotManifest.parse(JSON.parse(object.body.toString('utf8')));
  return { modelVersion, inputs, users: counts.users, recommendations: counts.recommendations };
}

/** The served snapshot. Undefined before the first publication. */
export async function readPointer(store: ObjectStore): Promise<Placed | undefined> {
  const object = await store.get(serving, lake.prefixes.pointer);
  if (!object) return undefined;
  return { pointer: snapshotPointer.parse(JSON.parse(object.body.toString('utf8'))), etag: object.etag };
}

async function publish(
  deps: PublicationDeps,
  snapshot: ExportedSnapshot,
  inputs: string,
  judgement: Judgement,
): Promise<void> {
  await verify(deps.store, snapshot);
  const current = await readPointer(deps.store);
  if (current?.pointer.manifestSha256 === snapshot.manifestSha256) return;
  // A chart that stands in for a refused model is no snapshot of that model.
  await recordModel(deps, judgement, judgement.promoted ? snapshot : undefined);
  // A chart that stands in for a refused model says so: the same inputs need not be tried again.
  const refused = !judgement.promoted ? refusedModel(judgement, inputs) : undefined;
  const pointer = { ...moved(deps, current, snapshot, 'refresh'), inputs, ...(refused && { refused }) };
  await movePointer(deps.store, pointer, current?.etag);
}

async function recordRefusal(deps: PublicationDeps, judgement: Judgement, inputs: string): Promise<void> {
  await recordModel(deps, judgement, undefined);
  const current = await readPointer(deps.store);
  if (!current || current.pointer.refused?.modelVersion === judgement.modelVersion) return;
  const pointer = { ...current.pointer, refused: refusedModel(judgement, inputs) };
  await movePointer(deps.store, pointer, current.etag);
}

async function rollBack(deps: PublicationDeps, modelVersion: string): Promise<RollbackResult> {
  const [current, model] = await Promise.all([readPointer(deps.store), readModel(deps.store, modelVersion)]);
  const target = model?.snapshot ? { modelVersion, ...model.snapshot } : previousOf(current, modelVersion);
  if (!current || !target) {
    throw failure(
      'ModelUnknown',
      `No snapshot of model ${modelVersion}: it was never published. GET /pipeline/models lists those there are.`,
    );
  }
  const previous = current.pointer.modelVersion;
  if (current.pointer.manifestSha256 === target.manifestSha256) return { modelVersion, previous, outcome: 'unchanged' };
  await verify(deps.store, target);
  // Keep the inputs: a refresh of the same inputs must not bring back the model that the operator rolled back.
  const { inputs, refused } = current.pointer;
  const pointer = { ...moved(deps, current, target, 'rollback'), inputs, ...(refused && { refused }) };
  const etag = await movePointer(deps.store, pointer, current.etag);
  await orBack(deps.store, target, { ...current, etag });
  return { modelVersion, previous, outcome: 'published' };
}

/**
 * A rollback takes no lock. If maintenance removed the snapshot during the rollback, the API keeps serving the previous
 * snapshot.
 */
async function orBack(
  store: ObjectStore,
  { manifestKey, manifestSha256 }: Target,
  { pointer, etag }: Placed,
): Promise<void> {
  try {
    await readChecked(store, manifestKey, manifestSha256);
  } catch (error) {
    await movePointer(store, pointer, etag);
    throw error;
  }
}

function refusedModel({ modelVersion, why }: Judgement, inputs: string): RefusedModel {
  return { modelVersion, inputs, why };
}

/** The previously served snapshot, if it belongs to this model. It may be older than the records of models. */
function previousOf(current: Placed | undefined, modelVersion: string): Target | undefined {
  const previous = current?.pointer.previous;
  return previous?.modelVersion === modelVersion ? previous : undefined;
}

/**
 * The pointer after its move to a snapshot: the former snapshot becomes the previous snapshot, and the history gains an
 * entry.
 */
function moved(
  deps: PublicationDeps,
  current: Placed | undefined,
  { modelVersion, manifestKey, manifestSha256 }: Target,
  by: SnapshotPointer['history'][number]['by'],
): Omit<SnapshotPointer, 'inputs'> {
  const publishedAt = deps.now().toISOString();
  return {
    formatVersion: 1,
    modelVersion,
    manifestKey,
    manifestSha256,
    publishedAt,
    previous: current ? servedBy(current.pointer) : null,
    history: [{ modelVersion, publishedAt, by }, ...(current?.pointer.history ?? [])].slice(0, rememberedPublications),
  };
}

function servedBy({ modelVersion, manifestKey, manifestSha256 }: SnapshotPointer): Target {
  return { modelVersion, manifestKey, manifestSha256 };
}

/** Answers the pointer's new etag. */
async function movePointer(store: ObjectStore, pointer: SnapshotPointer, etag: string | undefined): Promise<string> {
  const condition = etag === undefined ? ({ ifAbsent: true } as const) : { ifEtag: etag };
  try {
    const body = `${JSON.stringify(pointer, null, 2)}\n`;
    return (await store.put(serving, lake.prefixes.pointer, body, condition)).etag;
  } catch (cause) {
    if (!(cause instanceof ConditionFailed)) throw cause;
    throw failure(
      'PublicationConflict',
      `Another publication moved serving/${lake.prefixes.pointer} while ${pointer.modelVersion} was being published; tried again.`,
      { cause },
    );
  }
}

async function verify(store: ObjectStore, snapshot: Pick<Target, 'manifestKey' | 'manifestSha256'>): Promise<void> {
  const manifestBody = await readChecked(store, snapshot.manifestKey, snapshot.manifestSha256);
  const manifest = parseManifest(snapshot.manifestKey, manifestBody);
  for (const file of manifest.files) await readChecked(store, file.key, file.sha256);
}

function parseManifest(key: string, body: Buffer): SnapshotManifest {
  const parsed = snapshotManifest.safeParse(JSON.parse(body.toString('utf8')));
  if (parsed.success) return parsed.data;
  throw failure('SnapshotInvalid', `serving/${key} is no manifest: ${parsed.error.message}`);
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
