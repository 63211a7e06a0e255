/** The path of a Delta table in the data bucket: 'bronze/fact_listening_events'. */
export type TablePath = `${'bronze' | 'silver' | 'gold' | 'quarantine'}/${string}`;

/** What one run at a time may write. Tables that are only ever written together share a lock: a lock costs a child run. */
export type WriteLockName = 'bronze/dimensions' | 'recommendations' | `bronze/${string}`;

/** What a run waits for, and who has it. */
export interface WriteLockWait {
  readonly lock: WriteLockName;
  /** The workflow id of the run that holds the lock. */
  readonly heldBy: string;
  readonly heldSince: string;
}

const dimensions = /^(dim|bridge|graph)_/;

/**
 * The lock that guards a table: the files' dimensions have one together, silver and gold have one together (a refresh writes
 * them all), each event table of bronze has its own. A quarantine table goes with the bronze table its rows were refused by.
 */
export function writeLockOf(table: TablePath): WriteLockName {
  const layer = table.slice(0, table.indexOf('/'));
  if (layer === 'silver' || layer === 'gold') return 'recommendations';
  const name = table.slice(layer.length + 1);
  return dimensions.test(name) ? 'bronze/dimensions' : `bronze/${name}`;
}

/** The locks of some tables, each once and in the one order in which every run takes them, so that no two wait in a ring. */
export function writeLocksOf(tables: readonly TablePath[]): readonly WriteLockName[] {
  return [...new Set(tables.map(writeLockOf))].toSorted();
}

/** The workflow id whose being open means that a lock is held. */
export function writeLockId(lock: WriteLockName): string {
  return `write-lock/${lock}`;
}

/**
 * What a run of the streams holds: it stands for the driver, not for the tables, so that maintenance has its turn with them
 * while the driver appends.
 */
export const streamDriverLock: TablePath = 'bronze/_streaming_driver';

/** The table that serving snapshots are made of: whoever makes or removes snapshots holds its lock. */
export const snapshotsOf: TablePath = 'gold/user_recommendations';
