import type { WriteLockWait } from './write-locks.ts';

/** The current work of the warm Spark for a run, as the job reports it. */
export interface SparkProgress {
  readonly job: string;
  /** The step of the job, in its own words: 'bronze/fact_listening_events'. */
  readonly step: string;
  readonly tasksDone: number;
  readonly tasksTotal: number;
}

/** The answer of every workflow's `progress` query. */
export interface RunProgress {
  readonly stage: string;
  readonly files: { readonly done: number; readonly total: number };
  /** Bytes of landing files uploaded so far, of all that this run has to upload. */
  readonly uploadBytes: { readonly done: number; readonly total: number };
  /** Data rows: found in the files, and already in bronze or quarantine. */
  readonly rows: { readonly inFiles: number; readonly loaded: number };
  readonly spark?: SparkProgress;
  /** Set while the run waits its turn to write. */
  readonly waitingFor?: WriteLockWait;
  /**
   * Weekly files that wait for a person: the file and the reason, in words that tell the person the possible decisions.
   */
  readonly heldFiles?: readonly { readonly file: string; readonly type: string; readonly message: string }[];
  /** Set when the refresh that this run ended with has failed. */
  readonly failedRefresh?: { readonly workflowId: string; readonly type: string; readonly message: string };
}

/** The report of an activity to its run. The run merges it into RunProgress. */
export type ProgressReport =
  | { readonly kind: 'uploaded'; readonly file: string; readonly bytes: number }
  | { readonly kind: 'spark'; readonly spark: SparkProgress };

/** Names of the messages, so that clients need not import workflow code. */
export const progressQueryName = 'progress';
export const progressSignalName = 'reportProgress';
