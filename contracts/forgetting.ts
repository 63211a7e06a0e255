import type { FailedRefresh, RefreshResult } from './runs.ts';

/** Input of `forgetUser`. */
export interface ForgetUserInput {
  readonly userId: string;
}

/**
 * The result of `forgetUser`, also stored at `data/_control/forgotten/<hash>/<run>.json`. It does not name the user.
 */
export interface ForgetUserReceipt {
  /**
   * SHA-256 of the user id, in hex. The hash stays, so that the user does not come back with a landing file or an
   * event.
   */
  readonly userHash: string;
  readonly forgottenAt: string;
  /** Rows that were the user's, by table. */
  readonly rows: Readonly<Record<string, number>>;
  readonly removedSnapshots: number;
  /** How the refresh without the user ended; left out where none was needed, because the served snapshot did not name the user. */
  readonly refresh?: RefreshResult['outcome'] | FailedRefresh['outcome'];
  /** Whether the served snapshot names the user still, as looked up at the end. Then `remains` says until when. */
  readonly isStillServed: boolean;
  /** The remaining copies of the user's data, and the time of their removal. */
  readonly remains: readonly string[];
}

/** Taking a user out of everything that is kept. Every step is safe to repeat. */
export interface ForgettingActivities {
  /** From now on the API, the streams and bronze loads leave this user out. Fails with InputInvalid without a user. */
  markForgotten(input: { readonly userId: string; readonly at: string }): Promise<{ readonly userHash: string }>;
  /** Deletes the user's rows from every table; answers how many there were. */
  deleteUserRows(input: {
    readonly userId: string;
    readonly runKey: string;
    readonly at: string;
  }): Promise<{ readonly rows: Readonly<Record<string, number>> }>;
  /** Deletes the user's keys from the compacted topic of feedback. */
  deleteFeedback(input: { readonly userId: string }): Promise<void>;
  /** Whether a file of the served snapshot names the user. Reads only; heartbeats. */
  isUserServed(input: { readonly userId: string }): Promise<boolean>;
  /**
   * Removes every serving snapshot except the served snapshot: all of them hold lists of the user. The caller holds the
   * lock of the jobs that make snapshots. The manifest goes first, so that a repeat finishes an interrupted removal.
   * Sends heartbeats.
   */
  removeOldSnapshots(): Promise<{ readonly removed: number }>;
  writeReceipt(input: { readonly receipt: ForgetUserReceipt; readonly runId: string }): Promise<void>;
}

/**
 * The workflow id for forgetting a user, a single run at a time. The id has the user's hash, because ids appear in
 * lists.
 */
export function forgetUserId({ userHash }: { readonly userHash: string }): string {
  return `forget-user/${userHash.slice(0, 16)}`;
}
