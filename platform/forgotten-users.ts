import { createHash } from 'node:crypto';
import { lake } from '../contracts/lake.ts';
import type { ObjectStore } from './object-store.ts';

const prefix = `${lake.prefixes.control}forgotten/`;

/** The stored trace of a forgotten user: the SHA-256 of the id, in hex. */
export function hashOfUser(userId: string): string {
  return createHash('sha256').update(userId).digest('hex');
}

/** The key of the mark of a forgotten user: a small object per user. */
export function forgottenKey(userHash: string): string {
  return `${prefix}${userHash}.json`;
}

/** The hashes of all forgotten users. */
export async function forgottenHashes(store: ObjectStore): Promise<ReadonlySet<string>> {
  const keys = await store.list(lake.buckets.data, prefix);
  return new Set(keys.flatMap((key) => hashInKey(key) ?? []));
}

/**
 * The time at which the rows of a user were last removed from the tables (epoch milliseconds): forgetUser writes the
 * mark again then. 0 if there is no forgotten user.
 */
export async function lastForgottenAt(store: ObjectStore): Promise<number> {
  const objects = await store.listObjects(lake.buckets.data, prefix);
  const marks = objects.filter(({ key }) => hashInKey(key) !== undefined);
  return marks.reduce((last, { modifiedAt }) => Math.max(last, modifiedAt), 0);
}

function hashInKey(key: string): string | undefined {
  return /^([0-9a-f]{64})\.json$/.exec(key.slice(prefix.length))?.[1];
}

/** The key of a run's receipt. */
export function receiptKey(userHash: string, runId: string): string {
  return `${prefix}${userHash}/${runId}.json`;
}
