import { createHash } from 'node:crypto';
import { lake } from '../contracts/lake.ts';
import type { ObjectStore } from './object-store.ts';

const prefix = `${lake.prefixes.control}forgotten/`;

/** What is kept of a forgotten user: the SHA-256 of the id, in hex. */
export function hashOfUser(userId: string): string {
  return createHash('sha256').update(userId).digest('hex');
}

/** Where it is kept that a user was forgotten: an empty folder's worth, one object per user. */
export function forgottenKey(userHash: string): string {
  return `${prefix}${userHash}.json`;
}

/** Hashes of every user who was forgotten. */
export async function forgottenHashes(store: ObjectStore): Promise<ReadonlySet<string>> {
  const keys = await store.list(lake.buckets.data, prefix);
  return new Set(keys.flatMap((key) => hashInKey(key) ?? []));
}

/** When a user's rows were last taken out of the tables (epoch ms): the mark is written again then. 0 where nobody was forgotten. */
export async function lastForgottenAt(store: ObjectStore): Promise<number> {
  const objects = await store.listObjects(lake.buckets.data, prefix);
  const marks = objects.filter(({ key }) => hashInKey(key) !== undefined);
  return marks.reduce((last, { modifiedAt }) => Math.max(last, modifiedAt), 0);
}

function hashInKey(key: string): string | undefined {
  return /^([0-9a-f]{64})\.json$/.exec(key.slice(prefix.length))?.[1];
}

/** Where the receipt of one run lies. */
export function receiptKey(userHash: string, runId: string): string {
  return `${prefix}${userHash}/${runId}.json`;
}
