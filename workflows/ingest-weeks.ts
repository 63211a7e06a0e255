import { log, proxyActivities } from '@temporalio/workflow';
import type { LandingActivities, PlannedFile, SparkActivities } from '../contracts/activities.ts';
import type { FailureType } from '../contracts/failures.ts';
import type {
  CheckedWeeklyFile,
  HeldFile,
  WeekSummary,
  WeeklyActivities,
  WeeklyFile,
  WeeklyListing,
} from '../contracts/weekly.ts';
import { fileTransfer, quick, sparkJob, watching } from './activity-options.ts';
import { announce } from './announce.ts';
import { knownFailureOf } from './failure-of.ts';
import { inTurns } from './in-turns.ts';
import type { ProgressTracker } from './progress.ts';
import { withWriteLocks } from './write-lock.ts';

const { discoverWeeklyFiles } = proxyActivities<WeeklyActivities>(watching);
const { checkWeeklyFile } = proxyActivities<WeeklyActivities>(fileTransfer);
const { planWeeklyLoad, recordWeeklyLoad } = proxyActivities<WeeklyActivities>(quick);
const { uploadLandingFile } = proxyActivities<LandingActivities>(fileTransfer);
const { loadBronze } = proxyActivities<SparkActivities>(sparkJob);

/** Files a Spark job takes at once: enough to spread its start, few enough to see a backfill move. */
const filesPerJob = 4;

/** Failures that concern a single file. That file waits for a person, and the run continues with the remaining files. */
const failuresOfOneFile: readonly FailureType[] = [
  'LandingFileEmpty',
  'LandingFileHeader',
  'LandingFileEncoding',
  'LandingFileLine',
  'TooManyRefusedRows',
  'SparkBrokenContract',
];

/** The files in the weekly folders that are not in the ledger. */
export function discoverWeeks(only?: string): Promise<WeeklyListing> {
  return discoverWeeklyFiles(only === undefined ? {} : { only });
}

/** Files to load, files that wait for a person, and files that another program is still writing. */
export interface CheckedWeeks {
  readonly fit: readonly CheckedWeeklyFile[];
  readonly held: readonly HeldFile[];
  readonly unsettled: readonly string[];
}

/** Checks every file, several at the same time. A broken file does not affect the remaining files. */
export async function checkWeeks(
  progress: ProgressTracker,
  files: readonly WeeklyFile[],
  { parallel, acceptRefused = false }: { readonly parallel: number; readonly acceptRefused?: boolean },
): Promise<CheckedWeeks> {
  progress.update({ files: { done: 0, total: files.length } });
  const checks = await inTurns(files, parallel, (file) => checkOne(file, acceptRefused));
  return {
    fit: checks.flatMap((check) => ('fit' in check ? [check.fit] : [])),
    held: checks.flatMap((check) => ('held' in check ? [check.held] : [])),
    unsettled: checks.flatMap((check) => ('changed' in check ? [check.changed] : [])),
  };
}

type Check = { readonly fit: CheckedWeeklyFile } | { readonly held: HeldFile } | { readonly changed: string };

async function checkOne(file: WeeklyFile, acceptRefused: boolean): Promise<Check> {
  try {
    return { fit: await checkWeeklyFile.executeWithOptions({ summary: file.file }, [{ file, acceptRefused }]) };
  } catch (error) {
    const failed = knownFailureOf(error);
    if (failed?.type === 'LandingFileChanged') return { changed: file.file };
    if (failed && failuresOfOneFile.includes(failed.type)) return { held: { file, ...failed } };
    throw error;
  }
}

/** The weeks that are now in bronze, and the files that could not be loaded. */
export interface IngestedWeeks {
  readonly weeks: readonly WeekSummary[];
  readonly held: readonly HeldFile[];
  readonly unsettled: readonly string[];
  readonly uploadedBytes: number;
}

/**
 * Brings checked files into bronze under its lock, oldest week first, a few to a Spark job: plan by the ledger, upload, load,
 * reconcile, ledger. A file is in the ledger only after Spark's commit is known.
 */
export function ingestWeeks(
  progress: ProgressTracker,
  files: readonly CheckedWeeklyFile[],
  parallel: number,
): Promise<IngestedWeeks> {
  progress.update({ rows: { inFiles: sum(files.map(({ rows }) => rows)), loaded: 0 } });
  return withWriteLocks(progress, ['bronze/fact_listening_events'], async () => {
    const done: IngestedWeeks[] = [];
    for (const batch of inBatches(files)) {
      done.push(await ingestBatch(progress, batch, parallel));
      tellProgress(progress, files, done);
    }
    return joined(done);
  });
}

function inBatches(files: readonly CheckedWeeklyFile[]): readonly (readonly CheckedWeeklyFile[])[] {
  const batches: (readonly CheckedWeeklyFile[])[] = [];
  for (let start = 0; start < files.length; start += filesPerJob) batches.push(files.slice(start, start + filesPerJob));
  return batches;
}

async function ingestBatch(
  progress: ProgressTracker,
  batch: readonly CheckedWeeklyFile[],
  parallel: number,
): Promise<IngestedWeeks> {
  try {
    return await loadAndRecord(progress, batch, parallel);
  } catch (error) {
    const failed = knownFailureOf(error);
    if (!failed || !isOfOneFile(failed.type)) throw error;
    // Load each file in a job of its own: the file that broke the job must not keep the remaining files out.
    if (batch.length > 1) {
      const done: IngestedWeeks[] = [];
      for (const file of batch) done.push(await ingestBatch(progress, [file], parallel));
      return joined(done);
    }
    const [file] = batch;
    if (failed.type === 'LandingFileChanged') return { ...nothing, unsettled: [file!.file] };
    return { ...nothing, held: [{ file: file!, ...failed }] };
  }
}

function isOfOneFile(type: FailureType): boolean {
  return type === 'LandingFileChanged' || failuresOfOneFile.includes(type);
}

const nothing: IngestedWeeks = { weeks: [], held: [], unsettled: [], uploadedBytes: 0 };

async function loadAndRecord(
  progress: ProgressTracker,
  batch: readonly CheckedWeeklyFile[],
  parallel: number,
): Promise<IngestedWeeks> {
  progress.enter('planning');
  const planned = await planWeeklyLoad(batch);
  const toLoad = planned.filter(({ action }) => action === 'load');

  progress.enter('uploading');
  const sent = await inTurns(toLoad, parallel, (file) =>
    uploadLandingFile.executeWithOptions({ summary: file.file }, [file]),
  );

  progress.enter('loading bronze');
  const result = toLoad.length > 0 ? await runLoadJob(toLoad) : { files: [] };

  progress.enter('reconciling');
  const weeks = await recordWeeklyLoad({ planned, result });
  for (const week of weeks) await tellWeek(week);
  return { ...nothing, weeks, uploadedBytes: sum(sent.map(({ sentBytes }) => sentBytes)) };
}

function runLoadJob(files: readonly PlannedFile[]): ReturnType<SparkActivities['loadBronze']> {
  const input = { files, ingestedAt: new Date().toISOString() };
  return loadBronze.executeWithOptions({ summary: files.map(({ file }) => file).join(', ') }, [input]);
}

async function tellWeek(week: WeekSummary): Promise<void> {
  const { file, weekEnd, outcome, rows, bronze, quarantined } = week;
  log.info('week ingested', { weekEnd, outcome, rows, bronze, quarantined });
  if (outcome === 'unchanged') return;
  await announce({ stage: 'week ingested', subject: file, details: { file, weekEnd, outcome, rows, quarantined } });
}

function tellProgress(
  progress: ProgressTracker,
  files: readonly CheckedWeeklyFile[],
  done: readonly IngestedWeeks[],
): void {
  const { weeks, held, unsettled } = joined(done);
  const inFiles = sum(files.map(({ rows }) => rows));
  progress.update({
    files: { done: weeks.length + held.length + unsettled.length, total: files.length },
    rows: { inFiles, loaded: sum(weeks.map(({ bronze, quarantined }) => bronze + quarantined)) },
  });
}

function joined(parts: readonly IngestedWeeks[]): IngestedWeeks {
  return {
    weeks: parts.flatMap(({ weeks }) => weeks),
    held: parts.flatMap(({ held }) => held),
    unsettled: parts.flatMap(({ unsettled }) => unsettled),
    uploadedBytes: sum(parts.map(({ uploadedBytes }) => uploadedBytes)),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
