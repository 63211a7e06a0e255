import type { MaintenanceActivities } from './maintenance.ts';
import type { FileSummary, RefreshedTable, RollbackResult, SilverRefresh, TableVersion } from './runs.ts';
import type { WeeklyActivities, WeeklyPlace } from './weekly.ts';
import type { WriteLockName, WriteLockWait } from './write-locks.ts';
import type { ForgettingActivities } from './forgetting.ts';
import type { OutcomeActivities } from './outcomes.ts';
import type { StreamActivities } from './streams.ts';

/** A landing file as found in the data directory. */
export interface LandingFile {
  /** Base name: the `_source_file` of its rows. */
  readonly file: string;
  readonly table: string;
  readonly sizeBytes: number;
  /** Given for a weekly file, which lies in a folder of its own. */
  readonly weekly?: WeeklyPlace;
}

/** The content of the data directory: files to load, and CSVs without a table. */
export interface LandingListing {
  readonly files: readonly LandingFile[];
  readonly ignored: readonly string[];
}

/** A landing file that was read through once and is fit to load. */
export interface CheckedFile extends LandingFile {
  readonly sha256: string;
  /** Data rows: header and blank lines left out. */
  readonly rows: number;
}

/** The rows of a landing file in bronze, from the load ledger. */
export interface LoadedFile {
  readonly file: string;
  readonly table: string;
  readonly sha256: string;
  /** Grows by 1 each time a file of this name arrives with different content. */
  readonly generation: number;
  readonly rows: number;
  readonly bronze: number;
  readonly quarantined: number;
  readonly tableVersion: number;
  readonly loadedAt: string;
}

/** A checked file, and whether its content still has to go into bronze. */
export interface PlannedFile extends CheckedFile {
  readonly action: 'load' | 'unchanged';
  readonly generation: number;
  /** The ledger's entry, for an unchanged file. */
  readonly loaded?: LoadedFile;
}

/** Reading and uploading the landing files. */
export interface LandingActivities {
  /**
   * Lists the landing files of the data directory, in a fixed order. Fails with LandingFileMissing if a required file
   * is missing. Reads only, so a repeat is safe.
   */
  discoverLandingFiles(): Promise<LandingListing>;

  /**
   * Reads a whole file: header, encoding, rows, content hash. Fails with LandingFileHeader, LandingFileEncoding or
   * LandingFileEmpty; the message names the file and the expected and found content. Reads only, so a repeat is safe.
   */
  checkLandingFile(file: LandingFile): Promise<CheckedFile>;

  /**
   * Uploads a checked file into the landing bucket, unless the bucket has an object with the same content. An object
   * appears only when it is complete, so a repeat after a crash is harmless. Returns the number of uploaded bytes.
   */
  uploadLandingFile(file: CheckedFile): Promise<{ readonly sentBytes: number }>;
}

/** The load ledger: an object per landing file under the control prefix. */
export interface LoadLedgerActivities {
  /** Compares checked files with the ledger and with the tables' logs. Reads only. */
  planBronzeLoad(files: readonly CheckedFile[]): Promise<readonly PlannedFile[]>;

  /**
   * Compares rows in each file with rows in bronze and quarantine; fails with ReconciliationFailed, naming every file that
   * differs. When all agree, writes the ledger. Writing the same again changes nothing.
   */
  reconcileBronze(input: {
    readonly planned: readonly PlannedFile[];
    readonly result: LoadBronzeSummary;
  }): Promise<readonly FileSummary[]>;
}

/** The counts of the load_bronze job that the workflow passes on. */
export interface LoadBronzeSummary {
  readonly files: readonly {
    readonly file: string;
    readonly bronze: number;
    readonly quarantined: number;
    readonly tableVersion: number;
  }[];
}

/**
 * The Spark jobs. Each activity is a run of spark-submit/jobs/<job>.py. The job's Delta commits carry a transaction id
 * of the unit of work, so a repeat commits nothing twice. All of them send heartbeats, report progress to the run, and
 * stop Spark when they are cancelled. They fail with SparkJobFailed (retryable), SparkBadParameters,
 * SparkBrokenContract or SparkResultInvalid.
 */
export interface SparkActivities {
  /**
   * Submits no job for files that the tables' logs show as committed. Ends a job that still works on the same files.
   */
  loadBronze(input: {
    readonly files: readonly PlannedFile[];
    readonly ingestedAt: string;
  }): Promise<LoadBronzeSummary>;
  /** Brings silver up to date by the weeks that are new, or whole. Fails with TableCheckFailed. */
  buildSilver(input: RefreshStep): Promise<SilverSummary>;
  /** Brings gold's weekly statistics and features up to date. Fails with TableCheckFailed. */
  buildFeatures(input: RefreshStep): Promise<{ readonly tables: readonly RefreshedTable[] }>;
  /**
   * Judges a model on the data's last week, which the model has not seen. The model uses the kept fit if it may serve,
   * or a new fit otherwise and with `force`. Appends a row to gold/model_evaluations with the model version as
   * transaction id, so a repeat appends nothing. A refused model must not replace a served model.
   */
  evaluateModel(input: {
    readonly runKey: string;
    readonly modelVersion: string;
    readonly evaluatedAt: string;
    readonly force?: boolean;
    readonly servedModelVersion?: string;
  }): Promise<ModelEvaluation>;
  buildGold(input: { readonly runKey: string; readonly modelVersion: string }): Promise<{
    readonly tables: readonly TableVersion[];
    readonly users: number;
    readonly recommendations: number;
  }>;
  exportSnapshot(input: {
    readonly runKey: string;
    readonly modelVersion: string;
    readonly generatedAt: string;
    /** True if no model may be served: there are no lists, and every user gets the chart. */
    readonly chartOnly?: boolean;
  }): Promise<ExportedSnapshot>;
}

/** The parameters of every step of a refresh that makes tables. */
export interface RefreshStep {
  readonly runKey: string;
  /** Make every table whole, even if nothing is new. */
  readonly force: boolean;
  readonly checkedAt: string;
}

/** The part of build_silver's result that the workflow passes on. */
export interface SilverSummary extends SilverRefresh {
  readonly tables: readonly RefreshedTable[];
}

/** The result of a model's evaluation. */
export interface ModelEvaluation {
  readonly modelVersion: string;
  readonly promoted: boolean;
  readonly why: string;
  /** Measured on the listeners with new tracks in the held-out days. */
  readonly users: number;
  readonly ndcg: number;
}

/** A snapshot that lies whole in the serving bucket but is not served yet. */
export interface ExportedSnapshot {
  readonly modelVersion: string;
  readonly manifestKey: string;
  readonly manifestSha256: string;
}

/** The served snapshot, and the inputs that it was made from. */
export interface PublishedSnapshot {
  readonly modelVersion: string;
  readonly inputs: string;
  readonly users: number;
  readonly recommendations: number;
}

/** Whether a trained model may be served, why, and the figures that was decided by. */
export interface Judgement {
  readonly modelVersion: string;
  readonly promoted: boolean;
  readonly why: string;
  readonly measures: Readonly<Record<string, number>>;
}

/** A model that was trained from some inputs and not promoted. */
export interface RefusedModel {
  readonly modelVersion: string;
  readonly inputs: string;
  readonly why: string;
}

/** Publishing serving snapshots. */
export interface PublicationActivities {
  /**
   * The fingerprint of a refresh's inputs (versions of bronze tables, code of the jobs), the served snapshot, and the
   * last refused model. Reads only.
   */
  describeRefresh(): Promise<{
    readonly inputs: string;
    readonly published?: PublishedSnapshot;
    readonly refused?: RefusedModel;
  }>;

  /**
   * Checks the exported snapshot against its manifest, records the model and moves the pointer with a conditional
   * write. Fails with SnapshotInvalid, or with PublicationConflict if a different process moved the pointer. Publishing
   * the served snapshot again changes nothing.
   */
  publishSnapshot(input: {
    readonly snapshot: ExportedSnapshot;
    readonly inputs: string;
    readonly judgement: Judgement;
  }): Promise<void>;

  /**
   * Records a model that was not promoted, and notes in the pointer that these inputs led to it. The served snapshot
   * stays. A repeat changes nothing. Fails with PublicationConflict like publishSnapshot.
   */
  recordRefusal(input: { readonly judgement: Judgement; readonly inputs: string }): Promise<void>;

  /**
   * Moves the pointer to the snapshot of a model that was published before, after a check of the snapshot. No refresh
   * replaces it until new data arrives. Fails with ModelUnknown, SnapshotInvalid or PublicationConflict. A rollback to
   * the served snapshot changes nothing.
   */
  rollBack(input: { readonly modelVersion: string }): Promise<RollbackResult>;
}

/** A step of a run, for the live event stream. */
export interface Announcement {
  readonly stage: string;
  /** The subject of the stage if a stage has several subjects (a file). It is part of the event's id. */
  readonly subject?: string;
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

/** Announcements on the live event stream, by Kafka. */
export interface AnnouncementActivities {
  /** Sends a record to `pipeline_events`. Its id is made of run and stage, so readers recognise a repeat. */
  announce(announcement: Announcement): Promise<void>;
}

/** Waiting for a write lock that another run holds. */
export interface WriteLockActivities {
  /** The run that holds a lock now. Undefined if the lock is free. Reads only. */
  describeWriteLock(lock: WriteLockName): Promise<WriteLockHolder | undefined>;

  /** Ends when this holder has let go, however it ended. Reads only; heartbeats. */
  awaitWriteLock(holder: WriteLockHolder): Promise<void>;
}

/** A run that holds a lock, and the child run that stands for it. */
export interface WriteLockHolder extends WriteLockWait {
  readonly lockRunId: string;
}

/** Every activity, as the worker registers them. */
export interface Activities
  extends
    LandingActivities,
    LoadLedgerActivities,
    WeeklyActivities,
    SparkActivities,
    PublicationActivities,
    StreamActivities,
    OutcomeActivities,
    ForgettingActivities,
    AnnouncementActivities,
    WriteLockActivities,
    MaintenanceActivities {}
