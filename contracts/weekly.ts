import type { CheckedFile, LandingFile, LoadBronzeSummary, PlannedFile } from './activities.ts';
import type { FailureType } from './failures.ts';
import type { FailedRefresh, RefreshResult } from './runs.ts';

/** Where a weekly file lies: in the data directory's `weekly_trends/`, or put straight into the landing bucket. */
export type WeeklyOrigin = 'directory' | 'bucket';

/** The features of a weekly landing file. */
export interface WeeklyPlace {
  /** Last day of the week, YYYY-MM-DD, as its name says. */
  readonly weekEnd: string;
  readonly origin: WeeklyOrigin;
  /** Changes whenever the file is written to or replaced (size and times of a file, etag of an object). */
  readonly stamp: string;
}

/** A weekly file that the ledger does not know as it lies there now. */
export interface WeeklyFile extends LandingFile {
  readonly weekly: WeeklyPlace;
}

/** Something in a weekly folder that is not taken, and why. */
export interface IgnoredFile {
  readonly file: string;
  readonly why: string;
}

/** The content of the weekly folders. */
export interface WeeklyListing {
  /** Files to look at, oldest week first. */
  readonly files: readonly WeeklyFile[];
  /** How many files are as the ledger knows them. */
  readonly known: number;
  /** Names that are no weekly file's, and things that are no files. */
  readonly ignored: readonly IgnoredFile[];
  /** Files that a different program was still writing. The next run loads them. */
  readonly unsettled: readonly string[];
}

/** A checked weekly file, with the expected rows in bronze and quarantine. */
export interface CheckedWeeklyFile extends CheckedFile {
  readonly weekly: WeeklyPlace;
  readonly refusedRows: number;
  /** Rows to be refused, by reason. */
  readonly refusedReasons: Readonly<Record<string, number>>;
}

/** A loaded weekly file: its rows are the rows in bronze plus the rows in quarantine. */
export interface WeekSummary {
  readonly file: string;
  readonly weekEnd: string;
  /**
   * `ingested` for a new week, `replaced` where other rows of this file were there before, `unchanged` when the ledger has
   * this content already, under other times.
   */
  readonly outcome: 'ingested' | 'replaced' | 'unchanged';
  readonly rows: number;
  readonly bronze: number;
  readonly quarantined: number;
}

/** A weekly file that was left out and waits for a person's word. */
export interface HeldFile {
  readonly file: WeeklyFile;
  readonly type: FailureType;
  readonly message: string;
}

/** The same, as a run's result and progress name it. */
export interface WaitingFile {
  readonly file: string;
  readonly weekEnd: string;
  readonly type: FailureType;
  readonly message: string;
  /** The workflow that waits; its update `decide` takes the decision. */
  readonly reviewId: string;
}

/** Input of `weeklyTrendsIngestion`; every field may be left out. */
export interface WeeklyTrendsInput {
  /** Refresh the recommendations afterwards; true unless told otherwise. */
  readonly refresh?: boolean;
  /** How many files are checked and uploaded at once; 4 unless told otherwise. */
  readonly parallel?: number;
}

/** Summary of `weeklyTrendsIngestion`. */
export interface WeeklyTrendsResult {
  readonly weeks: readonly WeekSummary[];
  /** Files that the ledger knew as they lay there: not read again. */
  readonly known: number;
  /** Files that wait for a person. The run has handled all remaining files. */
  readonly waiting: readonly WaitingFile[];
  readonly ignored: readonly IgnoredFile[];
  readonly unsettled: readonly string[];
  readonly rows: { readonly inFiles: number; readonly bronze: number; readonly quarantined: number };
  readonly uploadedBytes: number;
  readonly seconds: {
    readonly discover: number;
    readonly check: number;
    readonly bronze: number;
    readonly refresh: number;
  };
  /** The scheduled time of this run, if a schedule started it. */
  readonly scheduledFor?: string;
  /** A failed refresh does not undo the ingestion: the weeks are in bronze and in the ledger. */
  readonly refresh?: RefreshResult | FailedRefresh;
}

/** A person's decision on a waiting weekly file. */
export type WeeklyDecision = 'accept' | 'reject' | 'replace';

/** Names of the messages, so that clients need not import workflow code. */
export const decideUpdateName = 'decide';
export const supersededSignalName = 'superseded';

/** The result of a review. */
export interface ReviewResult {
  readonly file: string;
  readonly outcome: 'ingested' | 'replaced' | 'unchanged' | 'rejected' | 'superseded';
  readonly week?: WeekSummary;
  readonly refresh?: RefreshResult | FailedRefresh;
}

/** Finding and checking weekly files, and their ledger. */
export interface WeeklyActivities {
  /**
   * Lists both weekly folders, oldest week first, without the files in the ledger. Watches a file for two seconds
   * unless it is known to be complete, and waits for a changing file for a limited time. `only` restricts the listing
   * to a week. Reads only.
   */
  discoverWeeklyFiles(input: { readonly only?: string }): Promise<WeeklyListing>;

  /**
   * Reads a whole file: header, encoding, hash, and every row against the rules of its table. Fails with
   * LandingFileHeader, LandingFileEncoding, LandingFileEmpty or LandingFileLine. Fails with TooManyRefusedRows if the
   * share of bad rows is above the limit and no person has accepted the file. Reads only.
   */
  checkWeeklyFile(input: { readonly file: WeeklyFile; readonly acceptRefused: boolean }): Promise<CheckedWeeklyFile>;

  /** Compares checked files with the ledger and with bronze's log. Reads only. */
  planWeeklyLoad(files: readonly CheckedWeeklyFile[]): Promise<readonly PlannedFile[]>;

  /**
   * Compares the rows in the files with the rows in bronze and quarantine (ReconciliationFailed), and checks that Spark
   * read the checked object (LandingFileChanged). Only then it writes the ledger, an object per file, each with the
   * condition that the object does not exist. A repeat changes nothing.
   */
  recordWeeklyLoad(input: {
    readonly planned: readonly PlannedFile[];
    readonly result: LoadBronzeSummary;
  }): Promise<readonly WeekSummary[]>;

  /** Notes in the ledger that this content was rejected by a person. Writing the same again changes nothing. */
  recordRejection(file: WeeklyFile): Promise<void>;
}
