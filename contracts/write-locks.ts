/** The path of a Delta table in the data bucket: 'bronze/fact_listening_events'. */
export type TablePath = `${'bronze' | 'silver' | 'gold' | 'quarantine'}/${string}`;

/**
 * The tables that a single run at a time may write. Tables that are always written together share a lock, because each
 * lock costs a child run.
 */
export type WriteLockName = 'bronze/dimensions' | 'recommendations' | `bronze/${string}`;

/** The lock that a run waits for, and the run that holds it. */
export interface WriteLockWait {
  readonly lock: WriteLockName;
  /** The workflow id of the run that holds the lock. */
  readonly heldBy: string;
  readonly heldSince: string;
}

const dimensions = /^(dim|bridge|graph)_/;

/**
 * The lock of a table. The dimension tables of the landing files share a lock, silver and gold share a lock (a refresh
 * writes all of them), and each event table of bronze has its own lock. A quarantine table shares the lock of its
 * bronze table.
 */
export function writeLockOf(table: TablePath): WriteLockName {
  const layer = table.slice(0, table.indexOf('/'));
  if (layer === 'silver' || layer === 'gold') return 'recommendations';
  const name = table.slice(layer.length + 1);
  return dimensions.test(name) ? 'bronze/dimensions' : `bronze/${name}`;
}

/**
 * The locks of some tables, each lock once. Every run takes locks in this fixed order, so that runs never wait for each
 * other in a circle.
 */
export function writeLocksOf(tables: readonly TablePath[]): readonly WriteLockName[] {
  return [...new Set(tables.map(writeLockOf))].toSorted();
}

/** The workflow id of a lock: the lock is held while a run with this id is open. */
export function writeLockId(lock: WriteLockName): string {
  return `write-lock/${lock}`;
}

/**
 * The lock of the streams. It stands for the driver and not for the tables, so that maintenance can lock the tables
 * while the driver appends.
 */
export const streamDriverLock: TablePath = 'bronze/_streaming_driver';

/** The table that serving snapshots are made of. A run that makes or removes snapshots holds its lock. */
export const snapshotsOf: TablePath = 'gold/user_recommendations';
