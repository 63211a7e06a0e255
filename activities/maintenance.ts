import { lake } from '../contracts/lake.ts';
import type {
  MaintenanceActivities,
  MaintenanceGroup,
  MaintenanceInput,
  PrunedSnapshots,
} from '../contracts/maintenance.ts';
import { snapshotManifest } from '../contracts/schemas/snapshot.ts';
import { writeLockOf, type TablePath } from '../contracts/write-locks.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import { latestVersion } from './delta-log.ts';
import { failure } from './failures.ts';
import { readPointer } from './publication.ts';
import { runSparkJob } from './spark-jobs.ts';
import type { SparkProcessOptions } from './spark-process.ts';

const { serving } = lake.buckets;
const lakeUri = `s3a://${lake.buckets.data}`;
const hourMs = 3_600_000;

/** What looking after the lake needs. */
export interface MaintenanceDeps {
  readonly store: ObjectStore;
  readonly process: SparkProcessOptions;
}

/** The activities of `maintainLakehouse`. */
export function createMaintenanceActivities({ store, process }: MaintenanceDeps): MaintenanceActivities {
  return {
    planMaintenance: (input) => plan(store, input),
    maintainTables: ({ tables, ...params }) =>
      runSparkJob(process, 'maintain_lakehouse', { ...params, lakeUri, tables: tables.map((table) => ({ table })) }),
    pruneSnapshots: (input) => pruneSnapshots(store, input),
  };
}

async function plan(
  store: ObjectStore,
  { tables = allTables(), retentionHours = promisedHours() }: MaintenanceInput,
): ReturnType<MaintenanceActivities['planMaintenance']> {
  if (retentionHours < promisedHours()) {
    throw failure(
      'RetentionTooShort',
      `a retention of ${retentionHours} h would remove what contracts/lake.json promises for ${promisedHours()} h`,
    );
  }
  const unknown = tables.filter((table) => !allTables().includes(table));
  if (unknown.length > 0)
    throw failure('InputInvalid', `no such table in the lake: ${unknown.join(', ')}; nothing was done`);
  const found = await Promise.all(
    tables.map(async (table) => ({ table, isThere: (await latestVersion(store, table)) !== undefined })),
  );
  return {
    retentionHours,
    groups: byLock(found.filter(({ isThere }) => isThere).map(({ table }) => table)),
    missing: found.filter(({ isThere }) => !isThere).map(({ table }) => table),
  };
}

function promisedHours(): number {
  return Math.max(lake.maintenance.timeTravelHours, lake.maintenance.longestReaderHours);
}

/** Every table of the contract, and the quarantine of each that files feed. */
function allTables(): readonly string[] {
  const tables = lake.tables.map(({ layer, name }) => `${layer}/${name}`);
  return [...tables, ...lake.datasets.map(({ table }) => `quarantine/${table}`)];
}

function byLock(tables: readonly string[]): readonly MaintenanceGroup[] {
  const groups = new Map<string, string[]>();
  for (const table of tables) {
    // A table of the contract is in one of its layers.
    const lock = writeLockOf(table as TablePath);
    groups.set(lock, [...(groups.get(lock) ?? []), table]);
  }
  return [...groups].map(([lock, tablesOfLock]) => ({ lock, tables: tablesOfLock }));
}

/** A snapshot in the store. */
export interface StoredSnapshot {
  readonly modelVersion: string;
  /** Epoch ms: of the manifest, or of the version's name where half a snapshot lies; nothing where neither tells. */
  readonly generatedAt: number | undefined;
  readonly isWhole: boolean;
  readonly keys: readonly string[];
}

async function pruneSnapshots(
  store: ObjectStore,
  { ranAt, retentionHours }: { readonly ranAt: string; readonly retentionHours: number },
): Promise<PrunedSnapshots> {
  const [snapshots, published] = await Promise.all([listSnapshots(store), lastPublished(store)]);
  const oldestKept = Date.parse(ranAt) - retentionHours * hourMs;
  const removed = chooseRemovals(snapshots, published, oldestKept);
  for (const { keys } of removed) {
    for (const key of manifestFirst(keys)) await store.remove(serving, key);
  }
  const names = new Set(removed.map(({ modelVersion }) => modelVersion));
  const kept = snapshots.filter(({ modelVersion }) => !names.has(modelVersion));
  return { kept: kept.map(({ modelVersion }) => modelVersion), removed: [...names] };
}

/** What may go: not among the last published, not among the newest whole ones, and older than the retention. */
export function chooseRemovals(
  snapshots: readonly StoredSnapshot[],
  published: ReadonlySet<string>,
  oldestKept: number,
): readonly StoredSnapshot[] {
  const newestFirst = snapshots.toSorted((one, other) => (other.generatedAt ?? 0) - (one.generatedAt ?? 0));
  const newest = newestFirst.filter(({ isWhole }) => isWhole).slice(0, lake.maintenance.snapshotsAtLeast);
  return newestFirst.filter(
    (snapshot) =>
      !published.has(snapshot.modelVersion) &&
      !newest.includes(snapshot) &&
      (snapshot.generatedAt ?? Infinity) < oldestKept,
  );
}

async function listSnapshots(store: ObjectStore): Promise<readonly StoredSnapshot[]> {
  const keysOf = new Map<string, string[]>();
  for (const key of await store.list(serving, lake.prefixes.snapshots)) {
    const modelVersion = key.slice(lake.prefixes.snapshots.length).split('/')[0] ?? '';
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
  if (!manifest) return { modelVersion, keys, isWhole: false, generatedAt: timeInName(modelVersion) };
  const { generatedAt } = snapshotManifest.parse(JSON.parse(manifest.body.toString('utf8')));
  return { modelVersion, keys, isWhole: true, generatedAt: Date.parse(generatedAt) };
}

/** The time in a model's version, which modelVersionOf puts there: als-20250107T031500-1a2b3c4d. */
function timeInName(modelVersion: string): number | undefined {
  const found = /(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})/.exec(modelVersion);
  if (!found) return undefined;
  const [, year, month, day, hour, minute, second] = found;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** What a rollback may want: the model that is served, the one before it, and the last ten that were published. */
async function lastPublished(store: ObjectStore): Promise<ReadonlySet<string>> {
  const served = await readPointer(store);
  if (!served) return new Set();
  const { modelVersion, previous, history } = served.pointer;
  const published = [...new Set(history.map((publication) => publication.modelVersion))];
  const kept = published.slice(0, lake.maintenance.snapshotsAtLeast);
  return new Set([modelVersion, ...(previous ? [previous.modelVersion] : []), ...kept]);
}

/** Without its manifest a snapshot is none: a removal that is cut off leaves nothing that could be taken for whole. */
function manifestFirst(keys: readonly string[]): readonly string[] {
  return keys.toSorted((one, other) => Number(isManifest(other)) - Number(isManifest(one)));
}

function isManifest(key: string): boolean {
  return key.endsWith('/manifest.json');
}
