/** Input of `initialDataLoad`; every field may be left out. */
export interface InitialDataLoadInput {
  /** Build and publish recommendations after the load; true unless told otherwise. */
  readonly refresh?: boolean;
}

/** Rows of one landing file and where they went. */
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
  /** 'refused': a model was trained and is not served; what was served stays. `why` says why. */
  readonly outcome: 'published' | 'unchanged' | 'refused';
  /** The model that was trained, or, for 'unchanged', the one that is served. */
  readonly modelVersion: string;
  readonly why?: string;
  readonly users: number;
  readonly recommendations: number;
  readonly tables: readonly TableVersion[];
  readonly silver?: {
    /** Whether silver's events were made whole or by weeks, and what decided it. */
    readonly mode: 'whole' | 'weeks';
    readonly why: string;
    readonly rowsRead: number;
    readonly duplicates: DuplicateCounts;
  };
}

/** A refresh that failed as the last step of another run. What is served stays; the next refresh tries again by itself. */
export interface FailedRefresh {
  readonly outcome: 'failed';
  /** A type of contracts/failures.ts, or Temporal's name of what went wrong (`TimeoutFailure`). */
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
  /** What was served before. */
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

/** A Delta table at one version: how data passes between steps. */
export interface TableVersion {
  readonly table: string;
  readonly version: number;
  readonly rows: number;
}
