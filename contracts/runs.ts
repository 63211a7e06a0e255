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
  readonly refresh?: RefreshResult;
}

/** Input of `refreshRecommendations`; every field may be left out. */
export interface RefreshInput {
  /** Rebuild even when the served snapshot was made from the same tables by the same code. */
  readonly force?: boolean;
}

/** Summary of `refreshRecommendations`. */
export interface RefreshResult {
  readonly outcome: 'published' | 'unchanged';
  readonly modelVersion: string;
  readonly users: number;
  readonly recommendations: number;
  readonly tables: readonly TableVersion[];
}

/** A Delta table at one version: how data passes between steps. */
export interface TableVersion {
  readonly table: string;
  readonly version: number;
  readonly rows: number;
}
