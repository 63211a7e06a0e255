import { log, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type {
  CheckedFile,
  LandingActivities,
  LoadLedgerActivities,
  PlannedFile,
  SparkActivities,
} from '../contracts/activities.ts';
import type { FileSummary, InitialDataLoadInput, InitialDataLoadResult } from '../contracts/runs.ts';
import type { TablePath } from '../contracts/write-locks.ts';
import { fileTransfer, quick, sparkJob } from './activity-options.ts';
import { announce } from './announce.ts';
import { inTurns } from './in-turns.ts';
import { checkInput } from './input.ts';
import { trackProgress, type ProgressTracker } from './progress.ts';
import { refreshApart } from './refresh-apart.ts';
import { secondsSince } from './seconds.ts';
import { withWriteLocks } from './write-lock.ts';

const { discoverLandingFiles } = proxyActivities<LandingActivities>(quick);
const { checkLandingFile, uploadLandingFile } = proxyActivities<LandingActivities>(fileTransfer);
const { planBronzeLoad, reconcileBronze } = proxyActivities<LoadLedgerActivities>(quick);
const { loadBronze } = proxyActivities<SparkActivities>(sparkJob);

/**
 * Brings every landing file into bronze exactly once and refreshes the recommendations. Nothing moves before every file is
 * checked. Running it again, or twice at once, changes nothing: objects and rows are recognised by their content.
 */
export async function initialDataLoad(input: InitialDataLoadInput = {}): Promise<InitialDataLoadResult> {
  const progress = trackProgress();
  checkInput('initialDataLoad', input);
  const startedAt = Date.now();
  const { checked, ignored } = await checkFiles(progress);
  const checkSeconds = secondsSince(startedAt);

  const tables = checked.map((file): TablePath => `bronze/${file.table}`);
  const load = await withWriteLocks(progress, tables, () => loadIntoBronze(progress, checked));

  const refreshStartedAt = Date.now();
  const refreshed = input.refresh === false ? undefined : await refreshApart(progress);
  progress.enter('done');
  return {
    files: load.files,
    ignoredFiles: ignored,
    rows: totals(load.files),
    uploadedBytes: load.uploadedBytes,
    seconds: { check: checkSeconds, ...load.seconds, refresh: secondsSince(refreshStartedAt) },
    ...(refreshed && { refresh: refreshed }),
  };
}

interface CheckedListing {
  readonly checked: readonly CheckedFile[];
  readonly ignored: readonly string[];
}

async function checkFiles(progress: ProgressTracker): Promise<CheckedListing> {
  progress.enter('checking files');
  const { files, ignored } = await discoverLandingFiles();
  progress.update({ files: { done: 0, total: files.length } });
  const checked = await inTurns(files, files.length, (file) =>
    checkLandingFile.executeWithOptions({ summary: file.file }, [file]),
  );
  progress.update({ rows: { inFiles: sum(checked, (file) => file.rows), loaded: 0 } });
  return { checked, ignored };
}

interface BronzeLoad {
  readonly files: readonly FileSummary[];
  readonly uploadedBytes: number;
  readonly seconds: { readonly upload: number; readonly bronze: number };
}

async function loadIntoBronze(progress: ProgressTracker, checked: readonly CheckedFile[]): Promise<BronzeLoad> {
  const uploadStartedAt = Date.now();
  const uploadedBytes = await uploadFiles(progress, checked);
  const upload = secondsSince(uploadStartedAt);

  const bronzeStartedAt = Date.now();
  const files = await writeBronze(progress, checked);
  log.info('bronze loaded', { ...totals(files) });
  return { files, uploadedBytes, seconds: { upload, bronze: secondsSince(bronzeStartedAt) } };
}

async function uploadFiles(progress: ProgressTracker, files: readonly CheckedFile[]): Promise<number> {
  progress.enter('uploading');
  progress.update({ uploadBytes: { done: 0, total: sum(files, (file) => file.sizeBytes) } });
  let done = 0;
  const sent = await inTurns(files, files.length, async (file) => {
    const { sentBytes } = await uploadLandingFile.executeWithOptions({ summary: file.file }, [file]);
    progress.uploaded(file.file, file.sizeBytes);
    progress.update({ files: { done: ++done, total: files.length } });
    return sentBytes;
  });
  await announce({ stage: 'uploaded', details: { files: files.length } });
  return sum(sent, (bytes) => bytes);
}

async function writeBronze(
  progress: ProgressTracker,
  checked: readonly CheckedFile[],
): Promise<readonly FileSummary[]> {
  progress.enter('loading bronze');
  const planned = await planBronzeLoad(checked);
  const toLoad = planned.filter((file) => file.action === 'load');
  const result = toLoad.length > 0 ? await runLoadJob(toLoad) : { files: [] };

  progress.enter('reconciling');
  const files = await reconcileBronze({ planned, result });
  progress.update({
    rows: { inFiles: totals(files).inFiles, loaded: totals(files).bronze + totals(files).quarantined },
  });
  await announce({ stage: 'bronze loaded', details: { ...totals(files) } });
  return files;
}

function runLoadJob(files: readonly PlannedFile[]): ReturnType<SparkActivities['loadBronze']> {
  const input = { files, ingestedAt: workflowInfo().startTime.toISOString() };
  return loadBronze.executeWithOptions({ summary: `${files.length} file(s) into bronze` }, [input]);
}

function totals(files: readonly FileSummary[]): InitialDataLoadResult['rows'] {
  return {
    inFiles: sum(files, (file) => file.rows),
    bronze: sum(files, (file) => file.bronze),
    quarantined: sum(files, (file) => file.quarantined),
  };
}

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
