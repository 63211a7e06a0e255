import type { CheckedFile, LandingFile, LoadBronzeSummary, PlannedFile } from './activities.ts';
import type { FailureType } from './failures.ts';
import type { FailedRefresh, RefreshResult } from './runs.ts';

/** Where a weekly file lies: in the data directory's `weekly_trends/`, or put straight into the landing bucket. */
export type WeeklyOrigin = 'directory' | 'bucket';

/** What makes a landing file a weekly one. */
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

/** What lies in the weekly folders. */
export interface WeeklyListing {
  /** Files to look at, oldest week first. */
  readonly files: readonly WeeklyFile[];
  /** How many files are as the ledger knows them. */
  readonly known: number;
  /** Names that are no weekly file's, and things that are no files. */
  readonly ignored: readonly IgnoredFile[];
  /** Files that somebody was still writing: the next run takes them. */
  readonly unsettled: readonly string[];
}

/** A weekly file that was read through, with what its rows would come to. */
export interface CheckedWeeklyFile extends CheckedFile {
  readonly weekly: WeeklyPlace;
  readonly refusedRows: number;
  /** Rows to be refused, by reason. */
  readonly refusedReasons: Readonly<Record<string, number>>;
}

/** One weekly file after its load: rows in the file are rows in bronze plus rows in quarantine. */
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
  /** Files left out that wait for a person; the run itself has done all the others. */
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
  /** The time a schedule started this run for, when one did. */
  readonly scheduledFor?: string;
  /** A failed refresh does not undo the ingestion: the weeks are in bronze and in the ledger. */
  readonly refresh?: RefreshResult | FailedRefresh;
}

/** What a person decides about a weekly file that waits. */
export type WeeklyDecision = 'accept' | 'reject' | 'replace';

/** Names of the messages, so that clients need not import workflow code. */
export const decideUpdateName = 'decide';
export const supersededSignalName = 'superseded';

/** What came of a review. */
export interface ReviewResult {
  readonly file: string;
  readonly outcome: 'ingested' | 'replaced' | 'unchanged' | 'rejected' | 'superseded';
  readonly week?: WeekSummary;
  readonly refresh?: RefreshResult | FailedRefresh;
}

/** Finding and checking weekly files, and their ledger. */
export interface WeeklyActivities {
  /**
   * Lists both weekly folders, oldest week first, without what the ledger knows. Watches files for two seconds unless they
   * are known to be whole; waits for those that change, but not for ever. `only` asks for one week. Reads only.
   */
  discoverWeeklyFiles(input: { readonly only?: string }): Promise<WeeklyListing>;

  /**
   * Reads one file through: header, encoding, hash, and every row against the rules of its table. Fails with LandingFileHeader,
   * LandingFileEncoding, LandingFileEmpty or LandingFileLine; with TooManyRefusedRows when the share of bad rows is above what
   * is allowed and nobody has accepted it. Reads only.
   */
  checkWeeklyFile(input: { readonly file: WeeklyFile; readonly acceptRefused: boolean }): Promise<CheckedWeeklyFile>;

  /** Compares checked files with the ledger and with bronze's log. Reads only. */
  planWeeklyLoad(files: readonly CheckedWeeklyFile[]): Promise<readonly PlannedFile[]>;

  /**
   * Compares rows in files with rows in bronze and quarantine (ReconciliationFailed), makes sure that the object that Spark
   * read is the one that was checked (LandingFileChanged), and only then writes the ledger, one object a file, each only if
   * it is not there. Writing the same again changes nothing.
   */
  recordWeeklyLoad(input: {
    readonly planned: readonly PlannedFile[];
    readonly result: LoadBronzeSummary;
  }): Promise<readonly WeekSummary[]>;

  /** Notes in the ledger that this content was rejected by a person. Writing the same again changes nothing. */
  recordRejection(file: WeeklyFile): Promise<void>;
}
