/** Input of `maintainLakehouse`; every field may be left out. */
export interface MaintenanceInput {
  /** Tables to look after ('bronze/fact_listening_events'); all of the lake unless told. */
  readonly tables?: readonly string[];
  /**
   * The hours for which maintenance keeps files that no version in use needs. Default: the promise of
   * contracts/lake.json. Fails with RetentionTooShort below that promise.
   */
  readonly retentionHours?: number;
}

/** The parts of a table. */
export interface TableMeasure {
  readonly files: number;
  readonly sizeBytes: number;
  /** Small files with a second small file in the same partition: compaction can merge them. */
  readonly smallFiles: number;
  /** Commits since the last checkpoint. */
  readonly logEntries: number;
  /** Files in the table's folder that its newest version does not use. */
  readonly unusedFiles: number;
}

/** The work on a table. `unchanged` means that there was nothing to do. */
export interface TableMaintenance {
  readonly table: string;
  readonly outcome: 'maintained' | 'unchanged';
  readonly actions: readonly ('compacted' | 'vacuumed' | 'checkpointed' | 'log cleaned')[];
  readonly before: TableMeasure;
  readonly after: TableMeasure;
}

/** Serving snapshots that are there and that went. */
export interface PrunedSnapshots {
  readonly kept: readonly string[];
  readonly removed: readonly string[];
}

/** Summary of `maintainLakehouse`. */
export interface MaintenanceResult {
  readonly retentionHours: number;
  readonly tables: readonly TableMaintenance[];
  /** Tables of the contract that the lake does not have yet. */
  readonly missing: readonly string[];
  readonly snapshots: PrunedSnapshots;
}

/** The tables of a single lock, which maintenance handles together. */
export interface MaintenanceGroup {
  readonly lock: string;
  readonly tables: readonly string[];
}

/** Looking after the lake. */
export interface MaintenanceActivities {
  /** Which tables are there, by lock, and which are not. Fails with RetentionTooShort. Reads only. */
  planMaintenance(input: MaintenanceInput): Promise<{
    readonly retentionHours: number;
    readonly groups: readonly MaintenanceGroup[];
    readonly missing: readonly string[];
  }>;

  /**
   * Compacts, vacuums and checkpoints the tables that need it, in turn, and measures them before and after. A repeat
   * finds nothing to do. The caller must hold the tables' write locks.
   */
  maintainTables(input: {
    readonly runKey: string;
    readonly tables: readonly string[];
    readonly retentionHours: number;
  }): Promise<{ readonly tables: readonly TableMaintenance[] }>;

  /**
   * Removes old serving snapshots. It keeps the served snapshot, its predecessor, the last ten published snapshots, the
   * newest ten snapshots, and all snapshots that are younger than the retention. The manifest goes first, so that an
   * interrupted removal leaves no snapshot. Safe to repeat.
   */
  pruneSnapshots(input: { readonly ranAt: string; readonly retentionHours: number }): Promise<PrunedSnapshots>;
}
