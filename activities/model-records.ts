import type { ExportedSnapshot, Judgement } from '../contracts/activities.ts';
import { lake } from '../contracts/lake.ts';
import { modelRecord, type ModelRecord } from '../contracts/schemas/snapshot.ts';
import type { ObjectStore } from '../platform/object-store.ts';

const { serving } = lake.buckets;

/**
 * Records the decision on a model and the place of its snapshot. A second call for the same model writes the same
 * object.
 */
export async function recordModel(
  { store, now }: { readonly store: ObjectStore; readonly now: () => Date },
  { modelVersion, promoted, why, measures }: Judgement,
  snapshot: ExportedSnapshot | undefined,
): Promise<void> {
  const record: ModelRecord = {
    formatVersion: 1,
    modelVersion,
    recordedAt: now().toISOString(),
    promoted,
    why,
    measures,
    snapshot: snapshot ? { manifestKey: snapshot.manifestKey, manifestSha256: snapshot.manifestSha256 } : null,
  };
  await store.put(serving, keyOf(modelVersion), `${JSON.stringify(record, null, 2)}\n`);
}

/** The record of a model, or undefined if the model is unknown. */
export async function readModel(store: ObjectStore, modelVersion: string): Promise<ModelRecord | undefined> {
  const object = await store.get(serving, keyOf(modelVersion));
  return object && modelRecord.parse(JSON.parse(object.body.toString('utf8')));
}

function keyOf(modelVersion: string): string {
  return `${lake.prefixes.models}${modelVersion}.json`;
}
