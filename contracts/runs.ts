/** Input of `initialDataLoad`; every field may be left out. */
export interface InitialDataLoadInput {
  /** Build and publish recommendations after the load; true unless told otherwise. */
  readonly refresh?: boolean;
}

/** The rows of a landing file, by destination. */
export interface FileSummary {
  readonly file: string;
  readonly table: string;
  readonly rows: number;
  readonly bronze: number;
  readonly quarantined: number;
  /** 'unchanged' when this content was already in bronze and nothing was read or written. */
  readonly outcome: 'loaded' | 'unchanged';
}

/** Summary of `initialDataLoad`. */
export interface InitialDataLoadResult {
  readonly files: readonly FileSummary[];
  /** CSVs in the data directory that no table is fed from: not read, not loaded. */
  readonly ignoredFiles: readonly string[];
  readonly rows: { readonly inFiles: number; readonly bronze: number; readonly quarantined: number };
  readonly uploadedBytes: number;
  readonly seconds: {
    readonly check: number;
    readonly upload: number;
    readonly bronze: number;
    readonly refresh: number;
  };
  /** A failed refresh does not undo the load: the files are in bronze and in the ledger. */
  readonly refresh?: RefreshResult | FailedRefresh;
}

/** Input of `refreshRecommendations`; every field may be left out. */
export interface RefreshInput {
  /** Rebuild even when the served snapshot was made from the same tables by the same code. */
  readonly force?: boolean;
}

/** Summary of `refreshRecommendations`. */
export interface RefreshResult {
  /** 'refused': the refresh trained a model and does not serve it. The served snapshot stays. `why` has the reason. */
  readonly outcome: 'published' | 'unchanged' | 'refused';
  /** The trained model, or for 'unchanged' the served model. */
  readonly modelVersion: string;
  readonly why?: string;
  readonly users: number;
  readonly recommendations: number;
  readonly tables: readonly TableVersion[];
  readonly silver?: SilverRefresh;
}

/** The changes of a refresh to silver's events. */
export interface SilverRefresh {
  /** The mode of the refresh of silver's events, whole or by weeks, and the reason. */
  readonly mode: 'whole' | 'weeks';
  readonly why: string;
  readonly rowsRead: number;
  readonly duplicates: DuplicateCounts;
  readonly refused: RefusedCounts;
  /** The data's last week by its last day; null where there is no event. */
  readonly lastWeekEnd: string | null;
  /** Weeks after it, which have too few users to count, and the events in them. */
  readonly pendingWeeks: number;
  readonly pendingEvents: number;
}

/** A failed refresh as the last step of a run. The served snapshot stays, and the next refresh tries again. */
export interface FailedRefresh {
  readonly outcome: 'failed';
  /** A type of contracts/failures.ts, or Temporal's name for the failure (`TimeoutFailure`). */
  readonly type: string;
  readonly message: string;
  /** The run of `refreshRecommendations` that failed. */
  readonly workflowId: string;
}

/** Input of `rollbackModel`; without a model it waits a minute for the update `rollBack`. */
export interface RollbackInput {
  readonly modelVersion?: string;
}

/** Summary of `rollbackModel`, and the answer of its update. */
export interface RollbackResult {
  readonly modelVersion: string;
  /** The previously served model. */
  readonly previous: string | null;
  readonly outcome: 'published' | 'unchanged';
}

/** A table as a refresh left it, and how much of it was written: all (weeksWritten null), or some weeks. */
export interface RefreshedTable extends TableVersion {
  readonly rowsWritten: number;
  readonly weeksWritten: readonly string[] | null;
}

/** Deliveries of events that silver does not keep, by why: see silver/duplicate_events. */
export interface DuplicateCounts {
  readonly within_file: number;
  readonly across_files: number;
  readonly within_stream: number;
  readonly against_stream: number;
}

/** Deliveries of events in bronze that break contracts/acceptance, by why: see silver/refused_events. */
export type RefusedCounts = Readonly<Record<string, number>>;

/** A Delta table at a version: the form in which steps pass data. */
export interface TableVersion {
  readonly table: string;
  readonly version: number;
  readonly rows: number;
}
