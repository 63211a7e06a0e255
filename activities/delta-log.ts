import { lake } from '../contracts/lake.ts';
import type { ObjectStore } from '../platform/object-store.ts';

const commitFile = /\/_delta_log\/(\d{20})\.json$/;

/** The newest version in a Delta table's log, or undefined where there is no table. Reads one listing. */
export async function latestVersion(store: ObjectStore, table: string): Promise<number | undefined> {
  const keys = await store.list(lake.buckets.data, `${table}/_delta_log/`);
  const versions = keys.flatMap((key) => {
    const version = commitFile.exec(key)?.[1];
    return version === undefined ? [] : [Number(version)];
  });
  return versions.length > 0 ? Math.max(...versions) : undefined;
}
