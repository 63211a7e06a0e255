import { lake } from '../contracts/lake.ts';
import type {
  MaintenanceActivities,
  MaintenanceGroup,
  MaintenanceInput,
  PrunedSnapshots,
} from '../contracts/maintenance.ts';
import { writeLockOf, type TablePath } from '../contracts/write-locks.ts';
import { lastForgottenAt } from '../platform/forgotten-users.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import { latestVersion } from './delta-log.ts';
import { failure } from './failures.ts';
import { readPointer } from './publication.ts';
import { listSnapshots, removeSnapshot, type StoredSnapshot } from './snapshots/stored-snapshots.ts';
import { runSparkJob } from './spark-jobs.ts';
import type { SparkProcessOptions } from './spark-process.ts';

const lakeUri = `s3a://${lake.buckets.data}`;
const hourMs = 3_600_000;

/** The dependencies of maintenance. */
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
    // The contract has each table in a single layer.
    const lock = writeLockOf(table as TablePath);
    groups.set(lock, [...(groups.get(lock) ?? []), table]);
  }
  return [...groups].map(([lock, tablesOfLock]) => ({ lock, tables: tablesOfLock }));
}

async function pruneSnapshots(
  store: ObjectStore,
  { ranAt, retentionHours }: { readonly ranAt: string; readonly retentionHours: number },
): Promise<PrunedSnapshots> {
  const [snapshots, published, forgottenAt] = await Promise.all([
    listSnapshots(store),
    lastPublished(store),
    lastForgottenAt(store),
  ]);
  const oldestKept = Date.parse(ranAt) - retentionHours * hourMs;
  const names = new Set<string>();
  for (const snapshot of chooseRemovals(snapshots, { published, oldestKept, forgottenAt })) {
    if (await removeSnapshot(store, snapshot)) names.add(snapshot.modelVersion);
  }
  const kept = snapshots.filter(({ modelVersion }) => !names.has(modelVersion));
  return { kept: kept.map(({ modelVersion }) => modelVersion), removed: [...names] };
}

/** The facts that decide which snapshots stay. Times are in epoch milliseconds. */
export interface KeptSnapshots {
  readonly published: ReadonlySet<string>;
  readonly oldestKept: number;
  readonly forgottenAt: number;
}

/**
 * The snapshots to remove. A snapshot stays if it is among the last published or the newest complete snapshots, or if
 * it is younger than the retention. A snapshot from before the last forgotten user never stays: it may hold the user's
 * list, and forgetUser kept it only because it was served.
 */
export function chooseRemovals(
  snapshots: readonly StoredSnapshot[],
  { published, oldestKept, forgottenAt }: KeptSnapshots,
): readonly StoredSnapshot[] {
  const newestFirst = snapshots.toSorted((one, other) => (other.generatedAt ?? 0) - (one.generatedAt ?? 0));
  const newest = newestFirst.filter(({ isWhole }) => isWhole).slice(0, lake.maintenance.snapshotsAtLeast);
  return newestFirst.filter((snapshot) => {
    const { modelVersion, generatedAt = Infinity } = snapshot;
    if (generatedAt < forgottenAt) return true;
    return !published.has(modelVersion) && !newest.includes(snapshot) && generatedAt < oldestKept;
  });
}

/** The models that a rollback may need: the served model, its predecessor, and the last ten published models. */
async function lastPublished(store: ObjectStore): Promise<ReadonlySet<string>> {
  const served = await readPointer(store);
  if (!served) return new Set();
  const { modelVersion, previous, history } = served.pointer;
  const published = [...new Set(history.map((publication) => publication.modelVersion))];
  const kept = published.slice(0, lake.maintenance.snapshotsAtLeast);
  return new Set([modelVersion, ...(previous ? [previous.modelVersion] : []), ...kept]);
}
