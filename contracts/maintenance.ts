/** Input of `maintainLakehouse`; every field may be left out. */
export interface MaintenanceInput {
  /** Tables to look after ('bronze/fact_listening_events'); all of the lake unless told. */
  readonly tables?: readonly string[];
  /**
   * Hours for which files that no version in use needs are kept. Fails with RetentionTooShort under what contracts/lake.json
   * promises; that promise unless told.
   */
  readonly retentionHours?: number;
}

/** What a table consists of. */
export interface TableMeasure {
  readonly files: number;
  readonly sizeBytes: number;
  /** Files under the small size that have another such file beside them in their partition: what compaction can join. */
  readonly smallFiles: number;
  /** Commits since the last checkpoint. */
  readonly logEntries: number;
  /** Files in the table's folder that its newest version does not use. */
  readonly unusedFiles: number;
}

/** What was done to one table; `unchanged` when nothing needed doing. */
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

/** The tables that one lock guards, to be looked after in one go. */
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
   * Compacts, vacuums and checkpoints what needs it, one table after another, and measures before and after. A repeat finds
   * nothing left to do. Only under the tables' write locks.
   */
  maintainTables(input: {
    readonly runKey: string;
    readonly tables: readonly string[];
    readonly retentionHours: number;
  }): Promise<{ readonly tables: readonly TableMaintenance[] }>;

  /**
   * Removes old serving snapshots: never the one that is served or the one before it, never the last ten published or the
   * newest ten, never one that is younger than the retention. Manifest first, so that half a snapshot is none. Safe to repeat.
   */
  pruneSnapshots(input: { readonly ranAt: string; readonly retentionHours: number }): Promise<PrunedSnapshots>;
}
