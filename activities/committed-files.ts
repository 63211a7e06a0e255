import type { LoadBronzeSummary, PlannedFile } from '../contracts/activities.ts';
import { bronzeFileKey } from '../contracts/ids.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import { newestCommits, readCommit, type CommitAction } from './delta-log.ts';

/** The search covers the recent commits only. Delta itself recognises an older commit, in Spark. */
const commitsLookedAt = 32;

type CountedFile = LoadBronzeSummary['files'][number];

/**
 * The committed state of a file, read from the tables' logs alone: its rows in bronze and in quarantine, and the
 * version of the commit. Undefined if the logs do not prove that the whole file is there. Then the caller has to ask
 * Spark.
 */
export async function findCommitted(store: ObjectStore, file: PlannedFile): Promise<CountedFile | undefined> {
  const key = bronzeFileKey(file);
  const bronze = await findCommit(store, `bronze/${file.table}`, key, file.file);
  if (!bronze || bronze.rows === undefined) return undefined;
  const counted = { file: file.file, bronze: bronze.rows, tableVersion: bronze.version };
  // An earlier content may have left rows in quarantine: only a commit there shows that they are gone.
  if (bronze.rows === file.rows && file.generation === 0) return { ...counted, quarantined: 0 };
  const quarantine = await findCommit(store, `quarantine/${file.table}`, `${key}/quarantine`, file.file);
  if (!quarantine || bronze.rows + (quarantine.rows ?? 0) !== file.rows) return undefined;
  return { ...counted, quarantined: quarantine.rows ?? 0 };
}

interface Commit {
  readonly version: number;
  /** Rows of the file that the commit added; undefined when its statistics do not say. */
  readonly rows: number | undefined;
}

/** The commit with this transaction id, if it is among the newest commits of a table. */
async function findCommit(store: ObjectStore, table: string, key: string, file: string): Promise<Commit | undefined> {
  const newest = (await newestCommits(store, table, commitsLookedAt)).slice(-commitsLookedAt).toReversed();
  const commits = await Promise.all(newest.map((commit) => readCommit(store, commit)));
  for (const [index, actions] of commits.entries()) {
    if (!actions.some(({ txn }) => txn?.appId === key)) continue;
    return { version: newest[index]!.version, rows: rowsOf(actions, file) };
  }
  return undefined;
}

interface Statistics {
  readonly numRecords?: number;
  readonly minValues?: Readonly<Record<string, unknown>>;
  readonly maxValues?: Readonly<Record<string, unknown>>;
}

/**
 * The rows of a file that a commit added. A compacted data file has rows of several source files or of a different
 * source file.
 */
function rowsOf(actions: readonly CommitAction[], file: string): number | undefined {
  let rows = 0;
  for (const { add } of actions) {
    if (!add) continue;
    const { numRecords, minValues, maxValues } = JSON.parse(add.stats ?? '{}') as Statistics;
    const [least, most] = [sourceOf(minValues), sourceOf(maxValues)];
    if (numRecords === undefined || least === undefined || least !== most) return undefined;
    if (least === file) rows += numRecords;
  }
  return rows;
}

function sourceOf(values: Readonly<Record<string, unknown>> | undefined): unknown {
  return values?.['_source_file'] ?? values?.['source_file'];
}
