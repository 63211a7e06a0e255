import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import type { CheckedFile, LandingActivities, LandingFile, LandingListing } from '../contracts/activities.ts';
import { datasetOfFile, lake, type Dataset } from '../contracts/lake.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import { checkCsv, type CsvCheck } from './csv-check.ts';
import { failure } from './failures.ts';
import { whileHeartbeating } from './heartbeat.ts';
import { createProgressReporter } from './progress-reporter.ts';

/**
 * The dependencies of the landing activities: the folder of the CSVs, the store, and a callback that announces a load.
 */
export interface LandingDeps {
  readonly dataDir: string;
  readonly store: ObjectStore;
  readonly expectSparkJob: () => void;
}

/** The activities that find, check and upload landing files. */
export function createLandingActivities(deps: LandingDeps): LandingActivities {
  const { dataDir } = deps;
  return {
    discoverLandingFiles: () => discover(dataDir),
    checkLandingFile: (file) => check(dataDir, file),
    uploadLandingFile: (file) => upload(deps, file),
  };
}

/** The key of a landing file's object in the landing bucket. */
export function landingKey({ file, weekly }: Pick<LandingFile, 'file' | 'weekly'>): string {
  return `${weekly ? lake.prefixes.weekly : lake.prefixes.historical}${file}`;
}

/** Where a landing file lies in the data directory. */
export function landingPath(dataDir: string, { file, weekly }: Pick<LandingFile, 'file' | 'weekly'>): string {
  return weekly ? join(dataDir, lake.prefixes.weekly, file) : join(dataDir, file);
}

async function discover(dataDir: string): Promise<LandingListing> {
  const names = (await listCsvs(dataDir)).toSorted();
  const files = await Promise.all(
    names.flatMap((file) => {
      const dataset = datasetOfFile(file);
      return dataset ? [describe(dataDir, file, dataset)] : [];
    }),
  );
  const missing = lake.datasets.filter(({ required, table }) => required && !files.some((f) => f.table === table));
  if (missing.length > 0) throw missingFiles(dataDir, missing, names);
  return { files, ignored: names.filter((file) => !datasetOfFile(file)) };
}

async function listCsvs(dataDir: string): Promise<string[]> {
  try {
    const entries = await readdir(dataDir, { withFileTypes: true });
    return entries.filter((entry) => !entry.isDirectory() && /\.csv$/i.test(entry.name)).map((entry) => entry.name);
  } catch (cause) {
    throw failure(
      'LandingFileMissing',
      `The data directory ${dataDir} cannot be read. Make it (npm run generate -- seed) or set SEGUE_DATA_DIR to the folder of your CSVs.`,
      { cause },
    );
  }
}

async function describe(dataDir: string, file: string, dataset: Dataset): Promise<LandingFile> {
  const { size } = await stat(join(dataDir, file));
  return { file, table: dataset.table, sizeBytes: size };
}

function missingFiles(dataDir: string, missing: readonly Dataset[], found: readonly string[]): Error {
  const wanted = missing.map((dataset) => exampleName(dataset)).join(', ');
  return failure(
    'LandingFileMissing',
    `${wanted}: required, but not in ${dataDir} (found: ${found.join(', ') || 'no CSV'}). Add the file and start again; nothing was loaded.`,
    { details: [{ missing: missing.map((dataset) => dataset.table), found }] },
  );
}

function exampleName(dataset: Dataset): string {
  return dataset.table === 'fact_listening_events' ? 'fact_listening_events*.csv' : `${dataset.table}.csv`;
}

async function check(dataDir: string, file: LandingFile): Promise<CheckedFile> {
  const dataset = datasetOfFile(file.file);
  if (!dataset) throw new Error(`${file.file} feeds no table`);
  const { cancellationSignal, heartbeat } = Context.current();
  let bytes = 0;
  const checking = checkCsv(landingPath(dataDir, file), {
    multiLine: dataset.multiLine,
    signal: cancellationSignal,
    onBytes: (count) => heartbeat({ file: file.file, checkedBytes: (bytes += count) }),
  });
  const found = await whileThere(file.file, checking);
  refuseUnfit(file.file, dataset, found);
  return { ...file, sizeBytes: found.sizeBytes, sha256: found.sha256, rows: found.rows };
}

const unreadable = new Set(['ENOENT', 'EACCES', 'EPERM', 'EISDIR']);

/** The failure for a file that disappeared after the search or that the worker may not read: a retry would not help. */
export async function whileThere<Answer>(file: string, work: Promise<Answer>): Promise<Answer> {
  try {
    return await work;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === undefined || !unreadable.has(code)) throw cause;
    throw failure(
      'LandingFileChanged',
      `${file} was found and cannot be read now (${message}). Put it back, or let the worker read it, and start again; nothing of it was loaded.`,
      { cause },
    );
  }
}

/** Fails with the named type when a file as a whole cannot be loaded. */
export function refuseUnfit(file: string, dataset: Dataset, found: CsvCheck): void {
  if (found.sizeBytes === 0 || found.header.length === 0) {
    throw failure('LandingFileEmpty', `${file} is empty: expected the header ${dataset.columns.join(',')} and rows.`);
  }
  if (found.firstBadLine !== undefined) {
    throw failure(
      'LandingFileEncoding',
      `${file}: line ${found.firstBadLine} is not UTF-8 text, or holds a NUL byte. Convert the file (for example iconv -f LATIN1 -t UTF-8) and start again; nothing was loaded.`,
      { details: [{ file, line: found.firstBadLine }] },
    );
  }
  const problem = headerProblem(dataset.columns, found.header);
  if (problem) {
    throw failure(
      'LandingFileHeader',
      `${file}: ${problem}. Expected ${dataset.columns.join(',')} but found ${found.header.join(',')}. Mend the header and start again; nothing was loaded.`,
      { details: [{ file, expected: dataset.columns, found: found.header }] },
    );
  }
  if (found.rows === 0 && dataset.required) {
    throw failure('LandingFileEmpty', `${file} has a header but no row; it is required. Nothing was loaded.`);
  }
}

/** The difference between a header and the expected header, in words. Undefined if they agree. */
export function headerProblem(expected: readonly string[], found: readonly string[]): string | undefined {
  if (expected.length === found.length && expected.every((column, index) => column === found[index])) return undefined;
  const missing = expected.filter((column) => !found.includes(column));
  const unknown = found.filter((column) => !expected.includes(column));
  if (missing.length > 0 || unknown.length > 0) {
    const parts = [
      missing.length > 0 ? `missing column(s) ${missing.join(', ')}` : '',
      unknown.length > 0 ? `unknown column(s) ${unknown.join(', ')}` : '',
    ];
    return parts.filter(Boolean).join(' and ');
  }
  return found.length === expected.length ? 'columns are swapped' : 'a column occurs twice';
}

async function upload(deps: LandingDeps, file: CheckedFile): Promise<{ sentBytes: number }> {
  const { dataDir, store } = deps;
  const bucket = lake.buckets.landing;
  const key = landingKey(file);
  if (file.weekly?.origin === 'bucket') return { sentBytes: 0 };
  const existing = await store.head(bucket, key);
  const reporter = createProgressReporter();
  if (existing?.metadata['sha256'] === file.sha256 && existing.sizeBytes === file.sizeBytes) {
    reporter.report({ kind: 'uploaded', file: file.file, bytes: file.sizeBytes });
    return { sentBytes: 0 };
  }
  deps.expectSparkJob();
  const hash = createHash('sha256');
  let sentBytes = 0;
  const sending = store.uploadFile({
    bucket,
    key,
    path: landingPath(dataDir, file),
    metadata: { sha256: file.sha256, rows: String(file.rows) },
    signal: Context.current().cancellationSignal,
    onChunk: (chunk) => {
      hash.update(chunk);
      sentBytes += chunk.length;
      reporter.report({ kind: 'uploaded', file: file.file, bytes: sentBytes });
    },
  });
  await whileHeartbeating(() => whileThere(file.file, sending));
  if (hash.digest('hex') !== file.sha256) {
    await store.remove(bucket, key);
    throw failure(
      'LandingFileChanged',
      `${file.file} changed between its check and its upload. Leave it alone while a load runs, and start again; nothing of it was loaded.`,
    );
  }
  await verifyUpload(store, file);
  return { sentBytes };
}

async function verifyUpload(store: ObjectStore, file: CheckedFile): Promise<void> {
  const stored = await store.head(lake.buckets.landing, landingKey(file));
  if (stored?.sizeBytes === file.sizeBytes && stored.metadata['sha256'] === file.sha256) return;
  throw failure(
    'UploadIncomplete',
    `${landingKey(file)} in the landing bucket is not the ${file.sizeBytes} bytes that were sent (found ${stored?.sizeBytes ?? 'nothing'}). The upload is tried again.`,
  );
}
