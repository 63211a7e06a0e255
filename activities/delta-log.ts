import { lake } from '../contracts/lake.ts';
import type { ObjectStore } from '../platform/object-store.ts';

const commitFile = /\/_delta_log\/(\d{20})\.json$/;

/** A commit in a table's log. */
export interface CommitKey {
  readonly version: number;
  readonly key: string;
}

/** The newest commits that lie in a Delta table's log as JSON, oldest first: at least `count` where there are so many. */
export async function newestCommits(store: ObjectStore, table: string, count: number): Promise<readonly CommitKey[]> {
  const checkpoint = (await lastCheckpoint(store, table)) ?? 0;
  return commitsFrom(store, table, Math.max(0, checkpoint - count));
}

/** The newest version in a Delta table's log, or undefined where there is no table. */
export async function latestVersion(store: ObjectStore, table: string): Promise<number | undefined> {
  const checkpoint = await lastCheckpoint(store, table);
  return (await commitsFrom(store, table, checkpoint ?? 0)).at(-1)?.version ?? checkpoint;
}

/** The newest version of a table that may hold rows. Undefined if the table does not exist or was just created. */
export async function latestFilledVersion(store: ObjectStore, table: string): Promise<number | undefined> {
  const newest = await latestVersion(store, table);
  const isEmpty =
    newest === 0 &&
    !(await readCommit(store, { version: 0, key: commitKey(table, 0) })).some(({ add }) => add !== undefined);
  return isEmpty ? undefined : newest;
}

/** The few things of a commit's actions that are read here. */
export interface CommitAction {
  readonly txn?: { readonly appId: string };
  readonly add?: { readonly stats?: string };
}

/** The actions of a commit. Empty if the log was cleaned up after the listing. */
export async function readCommit(store: ObjectStore, { key }: CommitKey): Promise<readonly CommitAction[]> {
  const commit = await store.get(lake.buckets.data, key);
  // At \n alone: the statistics of a commit hold texts with U+0085 and U+2028 as they are.
  const lines = commit?.body.toString('utf8').split('\n') ?? [];
  return lines.flatMap((line) => (line ? [JSON.parse(line) as CommitAction] : []));
}

/**
 * The commits from a version on. A log may hold 50,000 commits, so a caller that knows a checkpoint starts the listing
 * there.
 */
async function commitsFrom(store: ObjectStore, table: string, version: number): Promise<readonly CommitKey[]> {
  // A key right before that of the commit.
  const startAfter = commitKey(table, version).replace(/\.json$/, '');
  const keys = await store.list(lake.buckets.data, logPrefix(table), startAfter);
  const commits = keys.flatMap((key) => {
    const found = commitFile.exec(key)?.[1];
    return found === undefined ? [] : [{ version: Number(found), key }];
  });
  return commits.toSorted((one, other) => one.version - other.version);
}

function logPrefix(table: string): string {
  return `${table}/_delta_log/`;
}

function commitKey(table: string, version: number): string {
  return `${logPrefix(table)}${String(version).padStart(20, '0')}.json`;
}

/**
 * The version in the log's pointer to its last checkpoint. Undefined if the pointer is missing or unreadable: Delta
 * ignores such a pointer, too.
 */
async function lastCheckpoint(store: ObjectStore, table: string): Promise<number | undefined> {
  const pointer = await store.get(lake.buckets.data, `${logPrefix(table)}_last_checkpoint`);
  try {
    const { version } = JSON.parse(pointer?.body.toString('utf8') ?? '{}') as { version?: unknown };
    return typeof version === 'number' ? version : undefined;
  } catch {
    return undefined;
  }
}
