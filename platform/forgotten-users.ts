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
  return new Set(keys.flatMap((key) => /^([0-9a-f]{64})\.json$/.exec(key.slice(prefix.length))?.[1] ?? []));
}

/** Where the receipt of one run lies. */
export function receiptKey(userHash: string, runId: string): string {
  return `${prefix}${userHash}/${runId}.json`;
}
