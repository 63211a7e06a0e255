import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { TimeRange } from '../../contracts/acceptance/time.ts';
import { csvLine, writeLines, writeWhole, type FileWriter } from '../csv-file.ts';
import { OptionError } from '../options.ts';
import { headerOf } from '../seed.ts';
import { refuseOtherData } from './same-import.ts';
import { Catalogue } from './catalogue.ts';
import { SeenHashes } from './seen.ts';
import { tidy, type SkipReason, type SourceRecord } from './source.ts';

/** The counts of imported and skipped records, with the reasons. */
export interface ImportReport {
  readonly source: string;
  readonly records: number;
  readonly taken: number;
  readonly skipped: Readonly<Partial<Record<SkipReason, number>>>;
  readonly users: number;
  readonly tracks: number;
  readonly firstListen: string | null;
  readonly lastListen: string | null;
}

export const importedEventsFile = 'fact_listening_events_imported.csv';
const reportFile = 'import_report.json';
const pieceChars = 256 * 1024;

/** The target folder, the allowed times of listens, and a callback with the number of records read. */
export interface ImportOptions {
  readonly out: string;
  readonly range: TimeRange;
  readonly onRecords?: (records: number) => void;
}

/**
 * Writes the listens of an export as landing CSVs, with a report. The same user, time and track count as a single
 * listen, even if the export repeats it. Ids are made of the content, so that the same export gives the same files.
 * Memory holds the catalogue and eight bytes per listen, but not the listens. Throws an OptionError if the export is
 * unreadable or has no listen, or if the folder holds data of a different source.
 */
export async function importListens(
  source: string,
  records: AsyncIterable<SourceRecord>,
  { out, range, onRecords = () => undefined }: ImportOptions,
): Promise<ImportReport> {
  await refuseUnreadable(source);
  await refuseOtherData(source, out, reportFile);
  const catalogue = new Catalogue();
  let counted: Counted | undefined;
  await writeWhole(join(out, importedEventsFile), async (file) => {
    await file.write(headerOf('fact_listening_events'));
    counted = await writeEvents(file, records, catalogue, { range, onRecords });
    if (counted.taken === 0)
      throw new OptionError(
        `${source}: none of its ${counted.records} records is a listen (${describeSkips(counted.skipped)}); is the format right?`,
      );
  });
  await writeTable(out, 'dim_songs', catalogue.songLines());
  await writeTable(out, 'dim_users', catalogue.userLines());
  const report: ImportReport = { source, ...counted!, users: catalogue.users, tracks: catalogue.tracks };
  await writeWhole(join(out, reportFile), (file) => file.write(`${JSON.stringify(report, null, 2)}\n`));
  return report;
}

/** The skipped records, in words. */
export function describeSkips(skipped: ImportReport['skipped']): string {
  const parts = Object.entries(skipped).map(([reason, count]) => `${count} ${reason}`);
  return parts.join(', ') || 'nothing skipped';
}

async function refuseUnreadable(source: string): Promise<void> {
  const found = await stat(source).catch((cause: unknown) => {
    throw new OptionError(`${source} cannot be read`, { cause });
  });
  if (!found.isFile()) throw new OptionError(`${source} is not a file`);
}

type Counted = Pick<ImportReport, 'records' | 'taken' | 'skipped' | 'firstListen' | 'lastListen'>;

async function writeEvents(
  file: FileWriter,
  records: AsyncIterable<SourceRecord>,
  catalogue: Catalogue,
  { range, onRecords }: Required<Pick<ImportOptions, 'range' | 'onRecords'>>,
): Promise<Counted> {
  const seen = new SeenHashes();
  const skipped: Partial<Record<SkipReason, number>> = {};
  let read = 0;
  let taken = 0;
  let first: string | null = null;
  let last: string | null = null;
  let piece = '';
  const skip = (reason: SkipReason): void => {
    skipped[reason] = (skipped[reason] ?? 0) + 1;
  };
  for await (const record of records) {
    if (++read % 10_000 === 0) onRecords(read);
    const listen = 'skip' in record ? record : tidy(record, range);
    if ('skip' in listen) {
      skip(listen.skip);
      continue;
    }
    const trackId = catalogue.note(listen);
    const hash = createHash('sha256').update(`${listen.user}\0${listen.timestamp}\0${trackId}`).digest();
    if (!seen.add(hash.readBigUInt64LE())) {
      skip('repeated_listen');
      continue;
    }
    taken++;
    if (first === null || listen.timestamp < first) first = listen.timestamp;
    if (last === null || listen.timestamp > last) last = listen.timestamp;
    piece += csvLine([hash.toString('hex', 0, 16), listen.user, trackId, listen.eventType, listen.timestamp]);
    if (piece.length < pieceChars) continue;
    await file.write(piece);
    piece = '';
  }
  await file.write(piece);
  onRecords(read);
  return { records: read, taken, skipped, firstListen: first, lastListen: last };
}

async function writeTable(out: string, table: string, lines: Iterable<string>): Promise<void> {
  await writeWhole(join(out, `${table}.csv`), async (file) => {
    await file.write(headerOf(table));
    await writeLines(file, lines);
  });
}
