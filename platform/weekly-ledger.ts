import { lake } from '../contracts/lake.ts';
import { weeklyEntry, type WeeklyEntry } from '../contracts/schemas/ledger.ts';
import { ConditionFailed, type ObjectStore } from './object-store.ts';

const prefix = `${lake.prefixes.control}weekly_trends/`;
const bucket = lake.buckets.data;
const readAtOnce = 16;

/** The ledger of weekly files: entries are added, never changed; the newest of a week says where it stands. */
export interface WeeklyLedger {
  newest(weekEnd: string): Promise<WeeklyEntry | undefined>;
  /** The newest entry of every week, oldest week first. */
  list(): Promise<readonly WeeklyEntry[]>;
  /** Adds an entry unless it is there; answers whether it was added. */
  add(entry: WeeklyEntry): Promise<boolean>;
  /** Asks for a week to be read again: adds an entry that says so. Answers false where there is nothing to reset. */
  reset(weekEnd: string, at: Date): Promise<boolean>;
}

/** The ledger in the control prefix of the data bucket. */
export function createWeeklyLedger(store: ObjectStore): WeeklyLedger {
  const newest = async (weekEnd: string): Promise<WeeklyEntry | undefined> => {
    const last = (await store.list(bucket, `${prefix}${weekEnd}/`)).toSorted().at(-1);
    return last === undefined ? undefined : readEntry(store, last);
  };
  const add = async (entry: WeeklyEntry): Promise<boolean> => {
    try {
      await store.put(bucket, entryKey(entry), `${JSON.stringify(entry, null, 2)}\n`, { ifAbsent: true });
      return true;
    } catch (error) {
      if (error instanceof ConditionFailed) return false;
      throw error;
    }
  };
  return {
    newest,
    add,
    list: () => listNewest(store),
    reset: async (weekEnd, at) => {
      const entry = await newest(weekEnd);
      if (!entry || entry.outcome === 'reset') return false;
      const generation = entry.generation + 1;
      return add({ ...entry, outcome: 'reset', generation, stamps: {}, recordedAt: at.toISOString() });
    },
  };
}

/** Sorts by generation: the newest entry of a week is the last key. */
function entryKey({ weekEnd, generation, sha256 }: WeeklyEntry): string {
  return `${prefix}${weekEnd}/${String(generation).padStart(6, '0')}-${sha256}.json`;
}

async function listNewest(store: ObjectStore): Promise<WeeklyEntry[]> {
  const lastOfWeek = new Map<string, string>();
  for (const key of (await store.list(bucket, prefix)).toSorted()) lastOfWeek.set(key.split('/').at(-2) ?? '', key);
  const keys = [...lastOfWeek.values()];
  const entries: WeeklyEntry[] = [];
  for (let start = 0; start < keys.length; start += readAtOnce) {
    entries.push(...(await Promise.all(keys.slice(start, start + readAtOnce).map((key) => readEntry(store, key)))));
  }
  return entries;
}

async function readEntry(store: ObjectStore, key: string): Promise<WeeklyEntry> {
  const object = await store.get(bucket, key);
  if (!object) throw new Error(`the ledger entry ${bucket}/${key} was listed but is gone`);
  return weeklyEntry.parse(JSON.parse(object.body.toString('utf8')));
}
