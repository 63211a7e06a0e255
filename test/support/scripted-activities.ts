import { createWriteLockActivities } from '../../activities/index.ts';
import type { CheckedWeeklyFile, WeeklyFile } from '../../contracts/weekly.ts';
import type { Activities, CheckedFile, PlannedFile } from '../../contracts/activities.ts';

/** The calls a scripted world has seen, in order: 'upload dim_songs.csv'. */
export interface Script {
  readonly calls: string[];
  readonly activities: Activities;
}

const files: readonly CheckedFile[] = [
  { file: 'dim_songs.csv', table: 'dim_songs', sizeBytes: 10, sha256: 'a', rows: 2 },
  { file: 'fact_listening_events.csv', table: 'fact_listening_events', sizeBytes: 20, sha256: 'b', rows: 5 },
];

/** The weekly file of one week, as it would be found in the data directory. */
export function weeklyFile(weekEnd: string): WeeklyFile {
  const file = `trends_${weekEnd}.csv`;
  return { file, table: 'fact_listening_events', sizeBytes: 30, weekly: { weekEnd, origin: 'directory', stamp: 's' } };
}

function checkedWeek(file: WeeklyFile): CheckedWeeklyFile {
  return { ...file, sha256: file.file, rows: 7, refusedRows: 0, refusedReasons: {} };
}

const measured = { files: 1, sizeBytes: 10, smallFiles: 0, logEntries: 1, unusedFiles: 0 };

/**
 * Activities without services, for tests of orchestration alone: they note that they were called and answer as a healthy
 * world would. A test overrides what it is about.
 */
export function scripted(overrides: Partial<Activities> = {}): Script {
  const calls: string[] = [];
  const healthy: Activities = {
    discoverLandingFiles: async () => ({ files, ignored: [] }),
    checkLandingFile: async (file) => files.find((known) => known.file === file.file)!,
    uploadLandingFile: async (file) => ({ sentBytes: file.sizeBytes }),
    planBronzeLoad: async (checked) => checked.map((file): PlannedFile => ({ ...file, action: 'load', generation: 0 })),
    loadBronze: async (input) => ({
      files: input.files.map(({ file, rows }) => ({ file, bronze: rows, quarantined: 0, tableVersion: 1 })),
    }),
    reconcileBronze: async ({ planned }) =>
      planned.map(({ file, table, rows }) => ({ file, table, rows, bronze: rows, quarantined: 0, outcome: 'loaded' })),
    discoverWeeklyFiles: async () => ({ files: [weeklyFile('2025-01-07')], known: 0, ignored: [], unsettled: [] }),
    checkWeeklyFile: async ({ file }) => checkedWeek(file),
    planWeeklyLoad: async (checked) => checked.map((file): PlannedFile => ({ ...file, action: 'load', generation: 0 })),
    recordWeeklyLoad: async ({ planned }) =>
      planned.map(({ file, rows, weekly }) => ({
        ...{ file, weekEnd: weekly!.weekEnd, outcome: 'ingested', rows, bronze: rows, quarantined: 0 },
      })),
    recordRejection: async () => undefined,
    describeRefresh: async () => ({ inputs: 'inputs-1' }),
    buildSilver: async () => ({
      tables: [{ table: 'silver/listening_events', version: 0, rows: 5, rowsWritten: 5, weeksWritten: null }],
      mode: 'whole',
      why: 'asked for',
      rowsRead: 5,
      duplicates: { within_file: 0, across_files: 0, within_stream: 0, against_stream: 0 },
    }),
    buildFeatures: async () => ({ tables: [] }),
    evaluateModel: async ({ modelVersion }) => ({ modelVersion, promoted: true, why: 'better', users: 1, ndcg: 0.5 }),
    buildGold: async () => ({ tables: [], users: 3, recommendations: 30 }),
    exportSnapshot: async ({ modelVersion }) => ({ modelVersion, manifestKey: 'm', manifestSha256: 's' }),
    publishSnapshot: async () => undefined,
    superviseStreams: async () => undefined,
    buildOutcomes: async () => ({ impressions: 20, clicked: 3, skipped: 1 }),
    markForgotten: async () => ({ userHash: 'hash' }),
    deleteUserRows: async () => ({ rows: { 'bronze/dim_users': 1 } }),
    deleteFeedback: async () => undefined,
    isUserServed: async () => !calls.includes('publishSnapshot'),
    removeOldSnapshots: async () => ({ removed: 1 }),
    writeReceipt: async () => undefined,
    recordRefusal: async () => undefined,
    rollBack: async ({ modelVersion }) => ({ modelVersion, previous: 'als-0', outcome: 'published' }),
    announce: async () => undefined,
    planMaintenance: async ({ tables = ['bronze/dim_songs', 'silver/listening_events'], retentionHours = 168 }) => ({
      retentionHours,
      groups: tables.map((table) => ({ lock: table, tables: [table] })),
      missing: [],
    }),
    maintainTables: async ({ tables }) => ({
      tables: tables.map((table) => ({ table, outcome: 'unchanged', actions: [], before: measured, after: measured })),
    }),
    pruneSnapshots: async () => ({ kept: [], removed: [] }),
    ...createWriteLockActivities(),
  };
  const chosen: Activities = { ...healthy, ...overrides };
  const noting = Object.fromEntries(
    Object.entries(chosen).map(([name, activity]) => [
      name,
      (...args: readonly unknown[]) => {
        calls.push(name);
        return (activity as (...all: readonly unknown[]) => unknown)(...args);
      },
    ]),
  );
  // Built key by key from `chosen`, so it has the same members.
  return { calls, activities: noting as unknown as Activities };
}
