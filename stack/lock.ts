import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { throwIfInterrupted } from './errors.ts';
import { isAlive, ownIdentity, type ProcessIdentity } from './supervisor/identity.ts';

/** A lock that was taken. */
export interface Lock {
  release(): void;
}

/** The holder of a lock, with details for people. */
export interface LockHolder extends ProcessIdentity {
  readonly command: string;
  /** ISO time. */
  readonly since: string;
}

/**
 * Takes a lock file for this process, or returns its holder. The file names the holder by pid and start time. A lock of
 * a dead holder counts as free, also after kill -9.
 */
export function tryLock(path: string): { readonly lock: Lock } | { readonly holder: LockHolder } {
  mkdirSync(dirname(path), { recursive: true });
  const mine = `${path}.${randomUUID()}`;
  const self: LockHolder = {
    ...ownIdentity(),
    command: process.argv.slice(1).join(' '),
    since: new Date().toISOString(),
  };
  writeFileSync(mine, JSON.stringify(self), { mode: 0o600 });
  try {
    for (;;) {
      if (linkIfAbsent(mine, path)) return { lock: { release: () => release(path) } };
      const holder = readHolder(path);
      if (holder && isAlive(holder)) return { holder };
      breakStale(path);
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Waits until the lock is free and takes it. `onWait` receives the holder once. */
export async function waitForLock(
  path: string,
  { signal, onWait }: { readonly signal?: AbortSignal | undefined; readonly onWait?: (pid: number) => void } = {},
): Promise<Lock> {
  let isTold = false;
  for (;;) {
    throwIfInterrupted(signal);
    const attempt = tryLock(path);
    if ('lock' in attempt) return attempt.lock;
    if (!isTold) onWait?.(attempt.holder.pid);
    isTold = true;
    await sleep(250);
  }
}

/** The holder of the lock now. Undefined if the lock is free. */
export function lockHolder(path: string): LockHolder | undefined {
  const holder = readHolder(path);
  return holder && isAlive(holder) ? holder : undefined;
}

/** A hard link appears whole or not at all, and only where nothing is: the file is never seen half written. */
function linkIfAbsent(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readHolder(path: string): LockHolder | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as LockHolder;
  } catch {
    // The file disappeared after the check, or its holder is unknown.
    return undefined;
  }
}

/**
 * Moves the file of a dead holder away. A process that took the lock between the check and the move gets its lock back.
 */
function breakStale(path: string): void {
  const aside = `${path}.stale-${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = readHolder(aside);
  if (moved && isAlive(moved)) linkIfAbsent(aside, path);
  rmSync(aside, { force: true });
}

function release(path: string): void {
  if (readHolder(path)?.pid === process.pid) rmSync(path, { force: true });
}
