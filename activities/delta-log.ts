import { lake } from '../contracts/lake.ts';
import type { ObjectStore } from '../platform/object-store.ts';

const commitFile = /\/_delta_log\/(\d{20})\.json$/;

/** One commit in a table's log. */
export interface CommitKey {
  readonly version: number;
  readonly key: string;
}

/** The commits that lie in a Delta table's log as JSON, oldest first. Reads one listing. */
export async function commitKeys(store: ObjectStore, table: string): Promise<readonly CommitKey[]> {
  const keys = await store.list(lake.buckets.data, `${table}/_delta_log/`);
  const commits = keys.flatMap((key) => {
    const version = commitFile.exec(key)?.[1];
    return version === undefined ? [] : [{ version: Number(version), key }];
  });
  return commits.toSorted((one, other) => one.version - other.version);
}

/** The newest version in a Delta table's log, or undefined where there is no table. Reads one listing. */
export async function latestVersion(store: ObjectStore, table: string): Promise<number | undefined> {
  return (await commitKeys(store, table)).at(-1)?.version;
}

/** The newest version of a table that may hold rows: undefined where there is no table, or one that was just made. */
export async function latestFilledVersion(store: ObjectStore, table: string): Promise<number | undefined> {
  const newest = (await commitKeys(store, table)).at(-1);
  const isEmpty = newest?.version === 0 && !(await readCommit(store, newest)).some(({ add }) => add);
  return isEmpty ? undefined : newest?.version;
}

/** The few things of a commit's actions that are read here. */
export interface CommitAction {
  readonly txn?: { readonly appId: string };
  readonly add?: { readonly stats?: string };
}

/** What a commit did; nothing where the log was cleaned up since it was listed. */
export async function readCommit(store: ObjectStore, { key }: CommitKey): Promise<readonly CommitAction[]> {
  const commit = await store.get(lake.buckets.data, key);
  const lines = commit?.body.toString('utf8').split('\n') ?? [];
  return lines.flatMap((line) => (line ? [JSON.parse(line) as CommitAction] : []));
}
