import { splitRecord } from '../../contracts/acceptance/csv.ts';
import { rules } from '../../contracts/acceptance/rules.ts';
import { ByteFinder, carriageReturn, comma, holdsContent, newline, quote } from './bytes.ts';

const { longestRecordBytes } = rules.csv;

/**
 * Counts the records of a file whose quoted fields may hold line breaks, by the rules of contracts/acceptance: blank
 * lines do not count, and of a record with broken quotes only the first line counts. The longest record that may span
 * lines bounds the memory.
 */
export class RecordCounter {
  #records = 0;
  /** Fields of the header, the first line that is not blank. */
  #columns: number | undefined;
  #rest: Buffer = Buffer.alloc(0);
  /** The line under way is so long that its beginning was let go: it is a record by itself. */
  #isLongLine = false;
  #hasContent = false;

  add(chunk: Buffer): void {
    const bytes = Buffer.concat([this.#rest, chunk]);
    this.#rest = Buffer.from(bytes.subarray(this.#take(bytes, false)));
  }

  /** The number of records, the header among them, once all bytes are in. */
  end(): number {
    this.#take(this.#rest, true);
    return this.#records;
  }

  /** Counts the complete records and returns the position of their end. */
  #take(bytes: Buffer, isLast: boolean): number {
    const newlines = new ByteFinder(bytes, newline);
    const returns = new ByteFinder(bytes, carriageReturn);
    const quotes = new ByteFinder(bytes, quote);
    let at = 0;
    while (at < bytes.length) {
      const lineEnd = Math.min(newlines.from(at), returns.from(at));
      if (lineEnd === bytes.length && !isLast) return this.#awaitBreak(bytes, at);
      this.#hasContent ||= holdsContent(bytes, at, lineEnd);
      const mayBeLonger = this.#columns !== undefined && !this.#isLongLine && quotes.from(at) < lineEnd;
      const end = mayBeLonger ? recordEnd(bytes, at, lineEnd, this.#columns!, isLast) : lineEnd;
      if (end === undefined) return at;
      if (this.#hasContent) this.#count(bytes, at, end);
      this.#hasContent = false;
      this.#isLongLine = false;
      at = end + 1;
    }
    return bytes.length;
  }

  /** Keeps the beginning of a line for later, unless it is so long that no record of several lines can begin with it. */
  #awaitBreak(bytes: Buffer, at: number): number {
    if (!this.#isLongLine && bytes.length - at <= longestRecordBytes) return at;
    this.#isLongLine = true;
    this.#hasContent ||= holdsContent(bytes, at, bytes.length);
    return bytes.length;
  }

  #count(bytes: Buffer, start: number, end: number): void {
    this.#records++;
    this.#columns ??= fieldsOf(bytes.toString('utf8', start, end));
  }
}

/** The check refuses a file whose header has broken quotes, regardless of the rows. */
function fieldsOf(header: string): number {
  const fields = splitRecord(header);
  return typeof fields === 'string' ? 0 : fields.length;
}

/**
 * Where the record ends that begins at `start` with the line up to `lineEnd`: there, or after more lines where its quotes hold
 * line breaks, all close rightly, and it has as many fields as there are columns. Undefined where more bytes must tell.
 */
function recordEnd(
  bytes: Buffer,
  start: number,
  lineEnd: number,
  columns: number,
  isLast: boolean,
): number | undefined {
  // The limit of a record plus a byte for the line break.
  const seen = bytes.subarray(start, start + longestRecordBytes + 1);
  const found = scanRecord(seen, columns);
  if (found === 'broken') return lineEnd;
  if (found.isOver) return endOf(start + found.length, found.fields);
  if (seen.length > longestRecordBytes) return lineEnd;
  if (!isLast) return undefined;
  return found.isQuoted ? lineEnd : endOf(bytes.length, found.fields);

  function endOf(end: number, fields: number): number {
    return fields === columns ? end : lineEnd;
  }
}

interface Scanned {
  /** Bytes of the record, its line break left out. */
  readonly length: number;
  readonly fields: number;
  /** Whether the record ended before the bytes did. */
  readonly isOver: boolean;
  /** Whether the bytes end inside quotes. */
  readonly isQuoted: boolean;
}

/**
 * Reads a record from the start of the bytes. The record is broken if a quote closes wrongly or if it has too many
 * fields.
 */
function scanRecord(bytes: Buffer, columns: number): Scanned | 'broken' {
  let at = 0;
  for (let fields = 1; fields <= columns; fields++) {
    const isQuotedField = bytes[at] === quote;
    at = isQuotedField ? afterQuotes(bytes, at + 1) : at;
    if (at === -1) return { length: bytes.length, fields, isOver: false, isQuoted: true };
    const end = isQuotedField ? at : plainEnd(bytes, at);
    if (end === bytes.length) return { length: end, fields, isOver: false, isQuoted: false };
    if (isBreak(bytes[end])) return { length: end, fields, isOver: true, isQuoted: false };
    if (bytes[end] !== comma) return 'broken';
    at = end + 1;
  }
  return 'broken';
}

/** The position after the quote that closes a field, or -1 if no quote closes it. */
function afterQuotes(bytes: Buffer, start: number): number {
  let at = bytes.indexOf(quote, start);
  while (at !== -1 && bytes[at + 1] === quote) at = bytes.indexOf(quote, at + 2);
  return at === -1 ? -1 : at + 1;
}

function plainEnd(bytes: Buffer, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== comma && !isBreak(bytes[at])) at++;
  return at;
}

function isBreak(byte: number | undefined): boolean {
  return byte === newline || byte === carriageReturn;
}
