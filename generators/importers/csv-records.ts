import { splitRecord, type SplitRecord } from '../../contracts/acceptance/csv.ts';
import { rules } from '../../contracts/acceptance/rules.ts';
import { OptionError } from '../options.ts';
import { readLines } from './lines.ts';

/**
 * The records of a CSV, header first, by the rules of contracts/acceptance. If a record makes no sense otherwise,
 * quotes may be escaped by backslashes, as in MySQL's exports. Blank lines do not count. Throws an OptionError with the
 * line of a quote that does not close, because the rows inside it are unknown.
 */
export async function* readCsvRecords(path: string, encoding?: string): AsyncGenerator<readonly string[]> {
  let columns: number | undefined;
  let begun: { readonly line: number; readonly text: string } | undefined;
  let line = 0;
  for await (const text of readLines(path, { encoding, endsAtReturns: true })) {
    line++;
    if (!begun && !/[^\0- ]/.test(text)) continue;
    const record = begun ? { line: begun.line, text: `${begun.text}\n${text}` } : { line, text };
    const fields = split(record.text, columns);
    const spansLines = record.line < line;
    if (fields === 'open' && Buffer.byteLength(record.text) <= rules.csv.longestRecordBytes) begun = record;
    else if (typeof fields === 'string' || (spansLines && fields.length !== columns)) throw unclosed(path, record.line);
    else {
      begun = undefined;
      columns ??= fields.length;
      yield fields;
    }
  }
  if (begun) throw unclosed(path, begun.line);
}

/** By doubled quotes, else by backslashes where there are any before a quote; `open` where more lines may close it. */
function split(text: string, columns: number | undefined): SplitRecord {
  const plain = splitRecord(text);
  if (typeof plain !== 'string' && plain.length === (columns ?? plain.length)) return plain;
  if (!text.includes('\\"')) return plain;
  const escaped = splitRecord(text, '\\');
  if (typeof escaped !== 'string' && escaped.length === (columns ?? escaped.length)) return escaped;
  return plain === 'broken' ? escaped : plain;
}

function unclosed(path: string, line: number): OptionError {
  return new OptionError(
    `${path}: line ${line}: a quote opens there that does not close before a comma or the end of its record (quotes inside ` +
      `quotes are doubled); nothing was imported, mend the line and import again`,
  );
}
