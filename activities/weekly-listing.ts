import type { Stats } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseTime } from '../contracts/acceptance/time.ts';
import { lake } from '../contracts/lake.ts';
import type { WeeklyEntry } from '../contracts/schemas/ledger.ts';
import type { IgnoredFile, WeeklyFile, WeeklyListing } from '../contracts/weekly.ts';
import type { ListedObject, ObjectStore } from '../platform/object-store.ts';
import type { WeeklyLedger } from '../platform/weekly-ledger.ts';

export const weeklyTable = 'fact_listening_events';
const weeklyName = /^trends_(\d{4}-\d{2}-\d{2})\.csv$/;
/** A file that does not change for this long while a run watches is whole. */
const settleMs = 2_000;
/** The longest wait for a file that keeps changing. After it the next run takes the file. */
const patienceMs = 20_000;
const pollMs = 200;
/** A run's result names no more than this many things that are no weekly files. */
const mostIgnored = 100;

/** Where weekly files come from; `sleep` waits between two looks at a file that may still be written. */
export interface ListingDeps {
  readonly dataDir: string;
  readonly store: ObjectStore;
  readonly ledger: WeeklyLedger;
  readonly sleep: (ms: number) => Promise<void>;
}

/** The week of a weekly file's name; undefined for any other name, and for a day that no calendar has. */
export function weekEndOf(name: string): string | undefined {
  const date = weeklyName.exec(name)?.[1];
  if (date === undefined) return undefined;
  return parseTime(`${date}T00:00:00Z`) === undefined ? undefined : date;
}

interface Found {
  readonly file: WeeklyFile;
  readonly modifiedAt: number;
  readonly isWhole: boolean;
}

/** Lists the folder and the bucket by the same rules, oldest week first, without the files in the ledger. */
export async function listWeeklyFiles(deps: ListingDeps, only?: string): Promise<WeeklyListing> {
  const [entries, seen, objects] = await Promise.all([deps.ledger.list(), seeFolder(deps.dataDir), seeBucket(deps)]);
  const newest = new Map(entries.map((entry) => [entry.file, entry]));
  const isWanted = ({ file }: Found): boolean => only === undefined || file.weekly.weekEnd === only;
  const isNew = ({ file }: Found): boolean => !isKnown(file, newest.get(file.file));

  const inFolder = seen.found.filter(isWanted);
  const inBucket = objects.found.filter(isWanted);
  const copied = new Set(inFolder.map(({ file }) => file.file));
  const delivered = await deliveredObjects(deps.store, inBucket.filter(isNew), copied);
  const settled = await settle(deps, inFolder.filter(isNew));
  const files = newestOfEachWeek([...settled.found, ...delivered], settled.unsettled);
  const names = new Set([...inFolder, ...inBucket].map(({ file }) => file.file));
  return {
    files: files.toSorted((one, other) => one.weekly.weekEnd.localeCompare(other.weekly.weekEnd)),
    known: names.size - files.length - settled.unsettled.length,
    ignored: [...seen.ignored, ...objects.ignored].slice(0, mostIgnored),
    unsettled: settled.unsettled,
  };
}

function isKnown({ weekly }: WeeklyFile, entry: WeeklyEntry | undefined): boolean {
  return entry?.stamps[weekly.origin] === weekly.stamp;
}

interface Seen {
  readonly found: readonly Found[];
  readonly ignored: readonly IgnoredFile[];
}

async function seeFolder(dataDir: string): Promise<Seen> {
  const folder = join(dataDir, lake.prefixes.weekly);
  const names = await namesIn(folder);
  const wholeUntil = await generatedUntil(dataDir);
  const looks = await Promise.all(names.map((name) => lookAt(folder, name, wholeUntil)));
  return {
    found: looks.flatMap((look) => (look && !('why' in look) ? [look] : [])),
    ignored: looks.flatMap((look) => (look && 'why' in look ? [look] : [])),
  };
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** The file behind a name in the folder. Undefined if the file has disappeared. */
async function lookAt(folder: string, name: string, wholeUntil: Generated): Promise<Found | IgnoredFile | undefined> {
  const weekEnd = weekEndOf(name);
  if (weekEnd === undefined) return badName(name);
  const about = await statOf(join(folder, name));
  if (!about) return undefined;
  if (!about.isFile()) return { file: name, why: 'is no regular file' };
  const stamp = [about.size, about.mtimeMs, about.ctimeMs, about.ino].join('-');
  return {
    file: { file: name, table: weeklyTable, sizeBytes: about.size, weekly: { weekEnd, origin: 'directory', stamp } },
    modifiedAt: about.mtimeMs,
    isWhole: weekEnd <= wholeUntil.weekEnd && about.ctimeMs <= wholeUntil.at,
  };
}

function badName(name: string): IgnoredFile {
  const shown = name.length > 200 ? `${name.slice(0, 200)}…` : name;
  return { file: shown, why: 'is not named trends_YYYY-MM-DD.csv with a day of the calendar' };
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

interface Generated {
  readonly weekEnd: string;
  readonly at: number;
}

/**
 * The last week that the generator has renamed into place, and the time. A file that is unchanged since then is
 * complete and needs no watching. The age of a file alone proves nothing, because a slow writer may pause.
 */
async function generatedUntil(dataDir: string): Promise<Generated> {
  const path = join(dataDir, 'data_generation_state.json');
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
    const { lastWeekEnd } = JSON.parse(text) as { lastWeekEnd?: unknown };
    return { weekEnd: typeof lastWeekEnd === 'string' ? lastWeekEnd : '', at: mtimeMs };
  } catch {
    // The generator's state is missing or unreadable: the listing then watches every file, which is always safe.
    return { weekEnd: '', at: 0 };
  }
}

async function seeBucket({ store }: ListingDeps): Promise<Seen> {
  const objects = await store.listObjects(lake.buckets.landing, lake.prefixes.weekly);
  const looks = objects.map((object) => lookAtObject(object));
  return {
    found: looks.flatMap((look) => ('why' in look ? [] : [look])),
    ignored: looks.flatMap((look) => ('why' in look ? [look] : [])),
  };
}

function lookAtObject({ key, sizeBytes, etag, modifiedAt }: ListedObject): Found | IgnoredFile {
  const name = key.slice(lake.prefixes.weekly.length);
  const weekEnd = weekEndOf(name);
  if (weekEnd === undefined) return badName(name);
  return {
    file: { file: name, table: weeklyTable, sizeBytes, weekly: { weekEnd, origin: 'bucket', stamp: etag } },
    modifiedAt,
    isWhole: true,
  };
}

/**
 * Objects in the bucket. An object with the hash of a file came from an upload by our own run: it is a copy of the file
 * in the folder, unless the file is gone.
 */
async function deliveredObjects(
  store: ObjectStore,
  found: readonly Found[],
  inFolder: ReadonlySet<string>,
): Promise<readonly Found[]> {
  const isCopy = await Promise.all(
    found.map(async ({ file: { file } }) => {
      if (!inFolder.has(file)) return false;
      const info = await store.head(lake.buckets.landing, `${lake.prefixes.weekly}${file}`);
      return info?.metadata['sha256'] !== undefined;
    }),
  );
  return found.filter((_, index) => !isCopy[index]);
}

/** Waits until no file has changed for two seconds; gives up on those that go on changing. */
async function settle(
  deps: ListingDeps,
  found: readonly Found[],
): Promise<{ readonly found: readonly Found[]; readonly unsettled: readonly string[] }> {
  const startedAt = performance.now();
  let watched = found.filter(({ isWhole }) => !isWhole).map((each) => ({ each, since: startedAt }));
  const settled = found.filter(({ isWhole }) => isWhole);
  while (watched.length > 0 && performance.now() - startedAt < patienceMs) {
    await deps.sleep(pollMs);
    const now = performance.now();
    const looked = await Promise.all(watched.map(({ each, since }) => lookAgain(deps.dataDir, each, since, now)));
    const still = looked.flatMap((look) => (look ? [look] : []));
    settled.push(...still.filter(({ since }) => now - since >= settleMs).map(({ each }) => each));
    watched = still.filter(({ since }) => now - since < settleMs);
  }
  return { found: settled, unsettled: watched.map(({ each }) => each.file.file) };
}

async function lookAgain(
  dataDir: string,
  each: Found,
  since: number,
  now: number,
): Promise<{ each: Found; since: number } | undefined> {
  const look = await lookAt(join(dataDir, lake.prefixes.weekly), each.file.file, { weekEnd: '', at: 0 });
  if (!look || 'why' in look) return undefined;
  return look.file.weekly.stamp === each.file.weekly.stamp ? { each, since } : { each: look, since: now };
}

/** A single file per week: if the folder and the bucket both have a new file, the file with the later time. */
function newestOfEachWeek(found: readonly Found[], unsettled: readonly string[]): readonly WeeklyFile[] {
  const chosen = new Map<string, Found>();
  for (const each of found) {
    const other = chosen.get(each.file.file);
    if (!other || each.modifiedAt > other.modifiedAt) chosen.set(each.file.file, each);
  }
  return [...chosen.values()].map(({ file }) => file).filter(({ file }) => !unsettled.includes(file));
}
