import { existsSync } from 'node:fs';
import { Context } from '@temporalio/activity';
import { timeRange } from '../contracts/acceptance/time.ts';
import type { LoadBronzeSummary, PlannedFile } from '../contracts/activities.ts';
import { lake } from '../contracts/lake.ts';
import type { WeeklyEntry } from '../contracts/schemas/ledger.ts';
import type { CheckedWeeklyFile, WeeklyActivities, WeeklyFile, WeekSummary } from '../contracts/weekly.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import { createWeeklyLedger, type WeeklyLedger } from '../platform/weekly-ledger.ts';
import { checkCsv, checkCsvStream, type CsvCheck, type CsvCheckOptions } from './csv-check.ts';
import { latestVersion } from './delta-log.ts';
import { EventRowCounter, type RefusedCount } from './event-rows.ts';
import { failure } from './failures.ts';
import { landingKey, landingPath, refuseUnfit, whileThere } from './landing-files.ts';
import { refuseDifferences, summarise } from './load-ledger.ts';
import { listWeeklyFiles, weeklyTable } from './weekly-listing.ts';

const dataset = lake.datasets.find(({ table }) => table === weeklyTable)!;

/**
 * The dependencies of the weekly activities. `maxRefusedShare` is the share of bad rows that needs no person (0.05 is 5
 * %). `expectSparkJob` announces a load.
 */
export interface WeeklyDeps {
  readonly dataDir: string;
  readonly store: ObjectStore;
  readonly maxRefusedShare: number;
  /** The earliest time of a listen that is taken, by the grammar of contracts/acceptance. */
  readonly earliestListen: string;
  readonly now: () => Date;
  readonly expectSparkJob: () => void;
}

/** The activities that find and check weekly files and keep their ledger. */
export function createWeeklyActivities(deps: WeeklyDeps): WeeklyActivities {
  const { dataDir, store } = deps;
  const ledger = createWeeklyLedger(store);
  return {
    discoverWeeklyFiles: ({ only }) => {
      const context = Context.current();
      const sleep = async (ms: number): Promise<void> => {
        context.heartbeat();
        await context.sleep(ms);
      };
      return listWeeklyFiles({ dataDir, store, ledger, sleep }, only);
    },
    checkWeeklyFile: ({ file, acceptRefused }) => check(deps, file, acceptRefused),
    planWeeklyLoad: (files) => Promise.all(files.map((file) => plan(deps, ledger, file))),
    recordWeeklyLoad: ({ planned, result }) => record(deps, ledger, planned, result),
    recordRejection: (file) => reject(deps, ledger, file),
  };
}

async function check(deps: WeeklyDeps, file: WeeklyFile, acceptRefused: boolean): Promise<CheckedWeeklyFile> {
  const { cancellationSignal, heartbeat } = Context.current();
  deps.expectSparkJob();
  const counter = new EventRowCounter(timeRange(deps.earliestListen, deps.now()));
  let bytes = 0;
  const found = await readThrough(deps, file, {
    multiLine: false,
    signal: cancellationSignal,
    onChunk: (chunk) => counter.add(chunk),
    onBytes: (count) => heartbeat({ file: file.file, checkedBytes: (bytes += count) }),
  });
  const refused = counter.end();
  refuseUnfit(file.file, dataset, found);
  refuseUnreadable(file, refused);
  if (!acceptRefused) refuseTooMany(file, found.rows, refused, deps.maxRefusedShare);
  const { sizeBytes, sha256, rows } = found;
  return { ...file, sizeBytes, sha256, rows, refusedRows: refused.rows, refusedReasons: refused.reasons };
}

async function readThrough(
  { dataDir, store }: WeeklyDeps,
  file: WeeklyFile,
  options: CsvCheckOptions,
): Promise<CsvCheck> {
  if (file.weekly.origin === 'directory') return whileThere(file.file, checkCsv(landingPath(dataDir, file), options));
  const stream = await store.read(lake.buckets.landing, landingKey(file));
  if (stream) return checkCsvStream(stream, options);
  throw failure('LandingFileChanged', `${file.file} was in the landing bucket and is gone; the next run looks again.`);
}

function refuseUnreadable(file: WeeklyFile, { unreadable }: RefusedCount): void {
  if (!unreadable) return;
  throw failure(
    'LandingFileLine',
    `${file.file}: line ${unreadable.line} ${unreadable.why}: the file is broken there. Deliver it again; nothing of it was loaded.`,
    { details: [{ file: file.file, line: unreadable.line }] },
  );
}

function refuseTooMany(file: WeeklyFile, rows: number, refused: RefusedCount, maxRefusedShare: number): void {
  const share = refused.rows / rows;
  if (!(share > maxRefusedShare)) return;
  const reasons = Object.entries(refused.reasons).map(([reason, count]) => `${count} ${reason}`);
  throw failure(
    'TooManyRefusedRows',
    `${file.file}: ${refused.rows} of ${rows} rows (${percent(share)}) would be refused (${reasons.join(', ')}), more than ${percent(maxRefusedShare)}. Nothing of it was loaded; it waits for accept, reject or replace.`,
    { details: [{ file: file.file, rows, refused: refused.rows, reasons: refused.reasons }] },
  );
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}

async function plan({ store }: WeeklyDeps, ledger: WeeklyLedger, file: CheckedWeeklyFile): Promise<PlannedFile> {
  const entry = await ledger.newest(file.weekly.weekEnd);
  if (!entry) return { ...file, action: 'load', generation: 0 };
  const isSame = entry.outcome === 'ingested' && entry.sha256 === file.sha256;
  if (!isSame) return { ...file, action: 'load', generation: entry.generation + 1 };
  const version = await latestVersion(store, `bronze/${file.table}`);
  const isThere = version !== undefined && entry.tableVersion !== null && version >= entry.tableVersion;
  if (!isThere) return { ...file, action: 'load', generation: entry.generation + 1 };
  const { rows, bronze, quarantined, tableVersion, sha256, generation, recordedAt } = entry;
  const loaded = {
    ...{ file: file.file, table: file.table, sha256, generation, rows, bronze, quarantined },
    ...{ tableVersion: tableVersion ?? 0, loadedAt: recordedAt },
  };
  return { ...file, action: 'unchanged', generation, loaded };
}

async function record(
  deps: WeeklyDeps,
  ledger: WeeklyLedger,
  planned: readonly PlannedFile[],
  result: LoadBronzeSummary,
): Promise<readonly WeekSummary[]> {
  const summaries = planned.map((file) => summarise(file, result));
  refuseDifferences(summaries);
  return Promise.all(
    planned.map(async (file, index) => {
      const { rows, bronze, quarantined } = summaries[index]!;
      const weekEnd = file.weekly!.weekEnd;
      const before = await ledger.newest(weekEnd);
      if (file.action === 'load') await noteLoad(deps, ledger, file, result, before);
      else if (before) await noteStamp(deps, ledger, file, before);
      const outcome = file.action === 'unchanged' ? 'unchanged' : file.generation > 0 ? 'replaced' : 'ingested';
      return { file: file.file, weekEnd, outcome, rows, bronze, quarantined };
    }),
  );
}

async function noteLoad(
  deps: WeeklyDeps,
  ledger: WeeklyLedger,
  file: PlannedFile,
  result: LoadBronzeSummary,
  before: WeeklyEntry | undefined,
): Promise<void> {
  const { weekEnd, origin, stamp } = file.weekly!;
  const etag = await unchangedObject(deps.store, file);
  const counted = result.files.find((entry) => entry.file === file.file)!;
  // False if an earlier attempt wrote the same content, so the data is complete.
  await ledger.add({
    ...{ file: file.file, weekEnd, outcome: 'ingested', sha256: file.sha256, generation: file.generation },
    ...{
      rows: file.rows,
      bronze: counted.bronze,
      quarantined: counted.quarantined,
      tableVersion: counted.tableVersion,
    },
    stamps: origin === 'directory' ? { directory: stamp, bucket: etag } : { ...before?.stamps, bucket: etag },
    ...recordedBy(deps),
  });
}

/** The same content under other times or in the other place: noted, so that it need not be read every day. */
async function noteStamp(
  deps: WeeklyDeps,
  ledger: WeeklyLedger,
  file: PlannedFile,
  before: WeeklyEntry,
): Promise<void> {
  const { origin, stamp } = file.weekly!;
  if (before.sha256 !== file.sha256 || before.stamps[origin] === stamp) return;
  const stamps = { ...before.stamps, [origin]: stamp };
  await ledger.add({ ...before, generation: before.generation + 1, stamps, ...recordedBy(deps) });
}

function recordedBy({ now }: WeeklyDeps): Pick<WeeklyEntry, 'workflowId' | 'runId' | 'recordedAt'> {
  const { workflowId = '', runId = '' } = Context.current().info.workflowExecution ?? {};
  return { workflowId, runId, recordedAt: now().toISOString() };
}

/** The etag of the object that Spark read. It must still be the etag of the checked object. */
async function unchangedObject(store: ObjectStore, file: PlannedFile): Promise<string> {
  const object = await store.head(lake.buckets.landing, landingKey(file));
  const { origin, stamp } = file.weekly!;
  const isSame = origin === 'bucket' ? object?.etag === stamp : object?.metadata['sha256'] === file.sha256;
  if (object && isSame) return object.etag;
  throw failure(
    'LandingFileChanged',
    `${landingKey(file)} in the landing bucket was replaced while it was loaded. Its week is not in the ledger: the next run reads it again and replaces its rows.`,
  );
}

async function reject(deps: WeeklyDeps, ledger: WeeklyLedger, file: WeeklyFile): Promise<void> {
  const { weekEnd, origin, stamp } = file.weekly;
  const before = await ledger.newest(weekEnd);
  if (before?.outcome === 'rejected' && before.stamps[origin] === stamp) return;
  // A file that was removed from the folder cannot be read again.
  if (!(await isStillThere(deps, file))) return;
  const { cancellationSignal, heartbeat } = Context.current();
  const { sha256 } = await readThrough(deps, file, {
    multiLine: false,
    signal: cancellationSignal,
    onBytes: () => heartbeat({ file: file.file }),
  });
  await ledger.add({
    ...{ file: file.file, weekEnd, outcome: 'rejected', sha256, generation: (before?.generation ?? -1) + 1 },
    // Bronze keeps the rows of the week's earlier file.
    ...{ rows: before?.rows ?? 0, bronze: before?.bronze ?? 0, quarantined: before?.quarantined ?? 0 },
    ...{ tableVersion: before?.tableVersion ?? null, stamps: { ...before?.stamps, [origin]: stamp } },
    ...recordedBy(deps),
  });
}

async function isStillThere({ dataDir, store }: WeeklyDeps, file: WeeklyFile): Promise<boolean> {
  if (file.weekly.origin === 'bucket') return (await store.head(lake.buckets.landing, landingKey(file))) !== undefined;
  return existsSync(landingPath(dataDir, file));
}
