import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { throwIfInterrupted } from '../errors.ts';
import { waitForLock } from '../lock.ts';
import { sha256 } from '../supervisor/fingerprint.ts';

/** Something that is fetched or built once and kept in the cache for every checkout. */
export interface CachedItem {
  readonly name: string;
  /** Everything that decides what is built: another definition is another folder. */
  readonly definition: readonly string[];
  /** Fills the folder, which is empty. */
  readonly build: (folder: string, signal: AbortSignal, report: (detail: string) => void) => Promise<void>;
  /** Whether a finished folder still works (a venv dies with its Python). */
  readonly isUsable?: (folder: string) => boolean;
}

const marker = '.complete';

/** Where an item lies, or will lie. */
export function itemFolder(cacheDir: string, item: CachedItem): string {
  const key = sha256(JSON.stringify([process.platform, process.arch, ...item.definition])).slice(0, 12);
  return join(cacheDir, `${item.name}-${key}`);
}

/** Whether an item is there and whole. */
export function isCached(cacheDir: string, item: CachedItem): boolean {
  const folder = itemFolder(cacheDir, item);
  return existsSync(join(folder, marker)) && (item.isUsable?.(folder) ?? true);
}

/**
 * Builds an item unless it is there. It counts as there only once it is whole: what an interrupted set-up left is built
 * anew, and of two set-ups at once the second waits for the first. (In place, since a venv cannot be moved.)
 */
export async function ensureCached(
  cacheDir: string,
  item: CachedItem,
  signal: AbortSignal,
  report: (detail: string) => void,
): Promise<string> {
  const folder = itemFolder(cacheDir, item);
  if (isCached(cacheDir, item)) return folder;
  const lock = await waitForLock(`${folder}.lock`, {
    signal,
    onWait: (pid) => report(`another set-up (pid ${pid}) is at it; waiting`),
  });
  try {
    if (isCached(cacheDir, item)) return folder;
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await item.build(folder, signal, report);
    throwIfInterrupted(signal);
    await writeFile(join(folder, marker), '');
    return folder;
  } finally {
    lock.release();
  }
}
