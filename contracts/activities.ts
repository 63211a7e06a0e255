import type { MaintenanceActivities } from './maintenance.ts';
import type { DuplicateCounts, FileSummary, RefreshedTable, RollbackResult, TableVersion } from './runs.ts';
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

/** What lies in the data directory: files to load, and CSVs that no table is fed from. */
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

/** What bronze holds of one landing file, as the load ledger says. */
export interface LoadedFile {
  readonly file: string;
  readonly table: string;
  readonly sha256: string;
  /** Grows by one each time a file of this name comes with other content. */
  readonly generation: number;
  readonly rows: number;
  readonly bronze: number;
  readonly quarantined: number;
  readonly tableVersion: number;
  readonly loadedAt: string;
}

/** One checked file and whether its content still has to go into bronze. */
export interface PlannedFile extends CheckedFile {
  readonly action: 'load' | 'unchanged';
  readonly generation: number;
  /** What the ledger says of it, for an unchanged file. */
  readonly loaded?: LoadedFile;
}

/** Reading and uploading the landing files. */
export interface LandingActivities {
  /**
   * Lists the landing files of the data directory, in a fixed order. Fails with LandingFileMissing when a required one is
   * not there. Reads only; safe to repeat.
   */
  discoverLandingFiles(): Promise<LandingListing>;

  /**
   * Reads one file through: header, encoding, rows, content hash. Fails with LandingFileHeader, LandingFileEncoding or
   * LandingFileEmpty, naming the file, what was expected and what was found. Reads only; safe to repeat.
   */
  checkLandingFile(file: LandingFile): Promise<CheckedFile>;

  /**
   * Streams one checked file into the landing bucket, unless an object with the same content is there. An object appears
   * only when whole, so a repeat after a crash is harmless. Answers the bytes sent.
   */
  uploadLandingFile(file: CheckedFile): Promise<{ readonly sentBytes: number }>;
}

/** The load ledger: one object per landing file under the control prefix. */
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

/** What the load_bronze job counted, as far as the workflow passes it on. */
export interface LoadBronzeSummary {
  readonly files: readonly {
    readonly file: string;
    readonly bronze: number;
    readonly quarantined: number;
    readonly tableVersion: number;
  }[];
}

/**
 * The Spark jobs. Each is one run of spark-submit/jobs/<job>.py; its Delta commits carry the run key as transaction id, so
 * a repeat of the same unit of work commits nothing twice. All heartbeat, report progress to the run, and stop Spark when
 * cancelled. Fail with SparkJobFailed (retryable), SparkBadParameters, SparkBrokenContract or SparkResultInvalid.
 */
export interface SparkActivities {
  /**
   * Submits no job for files that the tables' logs show to be committed; ends a job that still works on the same ones.
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
   * Judges a model on the data's last week, which it has not seen: of the fit that is kept where that may serve, else of a new
   * one, as `force` asks. Appends one row to gold/model_evaluations, whose transaction id is the model version: a repeat adds
   * none. A model that is refused must not be published over one that is served.
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
    /** No lists, because there is no model that may be served: everybody gets the chart. */
    readonly chartOnly?: boolean;
  }): Promise<ExportedSnapshot>;
}

/** What every step of a refresh that makes tables is told. */
export interface RefreshStep {
  readonly runKey: string;
  /** Make every table whole, whatever is new. */
  readonly force: boolean;
  readonly checkedAt: string;
}

/** What build_silver did, as far as the workflow passes it on. */
export interface SilverSummary {
  readonly tables: readonly RefreshedTable[];
  readonly mode: 'whole' | 'weeks';
  readonly why: string;
  readonly rowsRead: number;
  readonly duplicates: DuplicateCounts;
}

/** What the evaluation of a model came to. */
export interface ModelEvaluation {
  readonly modelVersion: string;
  readonly promoted: boolean;
  readonly why: string;
  /** Of the listeners who heard something new in the days held out. */
  readonly users: number;
  readonly ndcg: number;
}

/** A snapshot that lies whole in the serving bucket but is not served yet. */
export interface ExportedSnapshot {
  readonly modelVersion: string;
  readonly manifestKey: string;
  readonly manifestSha256: string;
}

/** What is served, and from which inputs it was made. */
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
   * The fingerprint of what a refresh would read (bronze table versions, the jobs' code), what is served now, and the last
   * model that was refused. Reads only.
   */
  describeRefresh(): Promise<{
    readonly inputs: string;
    readonly published?: PublishedSnapshot;
    readonly refused?: RefusedModel;
  }>;

  /**
   * Checks the exported snapshot against its manifest, records the model and moves the pointer to it with a conditional write.
   * Fails with SnapshotInvalid; with PublicationConflict when somebody else moved the pointer meanwhile. Publishing what is
   * served already changes nothing.
   */
  publishSnapshot(input: {
    readonly snapshot: ExportedSnapshot;
    readonly inputs: string;
    readonly judgement: Judgement;
  }): Promise<void>;

  /**
   * Records a model that was not promoted, and in the pointer that these inputs led to it. What is served stays. Recording the
   * same again changes nothing. Fails with PublicationConflict as publishSnapshot does.
   */
  recordRefusal(input: { readonly judgement: Judgement; readonly inputs: string }): Promise<void>;

  /**
   * Moves the pointer back (or on) to the snapshot of a model that was published before, after checking it. Until something
   * new arrives no refresh takes its place. Fails with ModelUnknown, SnapshotInvalid, PublicationConflict. Rolling back to what
   * is served changes nothing.
   */
  rollBack(input: { readonly modelVersion: string }): Promise<RollbackResult>;
}

/** One step of a run for whoever watches. */
export interface Announcement {
  readonly stage: string;
  /** What of several things the stage is about (a file): part of the event's id. */
  readonly subject?: string;
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

/** Telling whoever watches, by Kafka. */
export interface AnnouncementActivities {
  /** Sends one record to `pipeline_events`; its id is made of run and stage, so a repeat is recognisable. */
  announce(announcement: Announcement): Promise<void>;
}

/** Waiting for a write lock that another run holds. */
export interface WriteLockActivities {
  /** Who holds a lock now; nothing when it is free. Reads only. */
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
