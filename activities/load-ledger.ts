import type {
  CheckedFile,
  LoadBronzeSummary,
  LoadedFile,
  LoadLedgerActivities,
  PlannedFile,
} from '../contracts/activities.ts';
import { lake } from '../contracts/lake.ts';
import type { FileSummary } from '../contracts/runs.ts';
import { loadedFile } from '../contracts/schemas/ledger.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import { latestVersion } from './delta-log.ts';
import { failure } from './failures.ts';

/** The dependencies of the ledger activities. `now` dates the entries. */
export interface LoadLedgerDeps {
  readonly store: ObjectStore;
  readonly now: () => Date;
}

/** The activities that read which files bronze already holds, and that check the result of a load. */
export function createLoadLedgerActivities({ store, now }: LoadLedgerDeps): LoadLedgerActivities {
  return {
    planBronzeLoad: (files) => Promise.all(files.map((file) => plan(store, file))),
    reconcileBronze: async ({ planned, result }) => {
      const summaries = planned.map((file) => summarise(file, result));
      refuseDifferences(summaries);
      const loadedAt = now().toISOString();
      await Promise.all(planned.map((file) => record(store, file, result, loadedAt)));
      return summaries;
    },
  };
}

function ledgerKey(file: string): string {
  return `${lake.prefixes.control}initial_load/${file}.json`;
}

async function plan(store: ObjectStore, file: CheckedFile): Promise<PlannedFile> {
  const loaded = await readEntry(store, file.file);
  if (!loaded) return { ...file, action: 'load', generation: 0 };
  if (loaded.sha256 !== file.sha256) return { ...file, action: 'load', generation: loaded.generation + 1 };
  const version = await latestVersion(store, `bronze/${file.table}`);
  const isThere = version !== undefined && version >= loaded.tableVersion;
  return { ...file, action: isThere ? 'unchanged' : 'load', generation: loaded.generation, loaded };
}

async function readEntry(store: ObjectStore, file: string): Promise<LoadedFile | undefined> {
  const object = await store.get(lake.buckets.data, ledgerKey(file));
  return object && loadedFile.parse(JSON.parse(object.body.toString('utf8')));
}

/** The rows of a planned file, by destination. */
export function summarise(file: PlannedFile, result: LoadBronzeSummary): FileSummary {
  const { table, rows } = file;
  const counted = file.action === 'unchanged' ? file.loaded : result.files.find((entry) => entry.file === file.file);
  return {
    file: file.file,
    table,
    rows,
    bronze: counted?.bronze ?? 0,
    quarantined: counted?.quarantined ?? 0,
    outcome: file.action === 'unchanged' ? 'unchanged' : 'loaded',
  };
}

/** Fails with ReconciliationFailed and names every file whose rows are not all in bronze or quarantine. */
export function refuseDifferences(summaries: readonly FileSummary[]): void {
  const wrong = summaries.filter((file) => file.rows !== file.bronze + file.quarantined);
  if (wrong.length === 0) return;
  const lines = wrong.map(
    (file) =>
      `${file.file}: ${file.rows} rows in the file, ${file.bronze} in bronze/${file.table} and ${file.quarantined} in quarantine/${file.table}`,
  );
  throw failure(
    'ReconciliationFailed',
    `Rows are missing or doubled. ${lines.join('; ')}. Nothing was published; see docs/errors.md#reconciliationfailed.`,
    { details: wrong },
  );
}

async function record(
  store: ObjectStore,
  file: PlannedFile,
  result: LoadBronzeSummary,
  loadedAt: string,
): Promise<void> {
  const counted = result.files.find((entry) => entry.file === file.file);
  if (file.action === 'unchanged' || !counted) return;
  const { table, sha256, generation, rows } = file;
  const { bronze, quarantined, tableVersion } = counted;
  const entry: LoadedFile = {
    file: file.file,
    table,
    sha256,
    generation,
    rows,
    bronze,
    quarantined,
    tableVersion,
    loadedAt,
  };
  await store.put(lake.buckets.data, ledgerKey(file.file), `${JSON.stringify(entry, null, 2)}\n`);
}
