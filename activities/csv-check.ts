import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';
import { EncodingCheck } from './encoding-check.ts';

const newline = 0x0a;
const carriageReturn = 0x0d;
const quote = 0x22;
const comma = 0x2c;
const space = 0x20;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);
/** A header longer than this is no header. */
const longestHeaderBytes = 64 * 1024;
const chunkBytes = 1024 * 1024;

/** What one pass over a CSV finds. */
export interface CsvCheck {
  readonly header: readonly string[];
  /** Records after the header that are not blank. */
  readonly rows: number;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** The first line (header = 1) that is not UTF-8 text, or holds a NUL byte, if any. */
  readonly firstBadLine?: number;
}

/** How to read a CSV through. */
export interface CsvCheckOptions {
  /** Line breaks inside quotes belong to the field (dim_* files). */
  readonly multiLine: boolean;
  readonly onBytes?: (bytes: number) => void;
  /** Sees every chunk, in order; its bytes are those of the next one afterwards. */
  readonly onChunk?: (chunk: Buffer) => void;
  readonly signal?: AbortSignal;
}

/**
 * Reads a CSV through once, in constant memory: header, rows, SHA-256 and encoding. Rows are counted as an RFC 4180 reader
 * counts them; a line that holds only white space is no row.
 */
export function checkCsv(path: string, options: CsvCheckOptions): Promise<CsvCheck> {
  return checkCsvStream(chunksOf(path), options);
}

/** The bytes of a file, each chunk in the same memory: a new one for each costs the collector more than all there is to check. */
async function* chunksOf(path: string): AsyncIterable<Buffer> {
  const file = await open(path);
  try {
    const memory = Buffer.allocUnsafeSlow(chunkBytes);
    for (;;) {
      const { bytesRead } = await file.read(memory);
      if (bytesRead === 0) return;
      yield memory.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** The same for bytes that come from elsewhere. */
export async function checkCsvStream(source: AsyncIterable<Buffer>, options: CsvCheckOptions): Promise<CsvCheck> {
  const hash = createHash('sha256');
  const records = new RecordCounter(options.multiLine);
  const encoding = new EncodingCheck();
  let head = Buffer.alloc(0);
  let sizeBytes = 0;
  for await (const chunk of source) {
    options.signal?.throwIfAborted();
    if (head.length < longestHeaderBytes) head = Buffer.concat([head, chunk]).subarray(0, longestHeaderBytes);
    hash.update(chunk);
    records.add(chunk);
    encoding.add(chunk);
    options.onChunk?.(chunk);
    sizeBytes += chunk.length;
    options.onBytes?.(chunk.length);
  }
  const firstBadLine = encoding.end();
  return {
    header: readHeader(head),
    rows: Math.max(0, records.end() - 1),
    sha256: hash.digest('hex'),
    sizeBytes,
    ...(firstBadLine !== undefined && { firstBadLine }),
  };
}

function readHeader(head: Buffer): string[] {
  const text = (head.subarray(0, 3).equals(byteOrderMark) ? head.subarray(3) : head).toString('utf8');
  try {
    const [header] = parse(text, { to: 1, relaxQuotes: true, relaxColumnCount: true, skipEmptyLines: true });
    return header ?? [];
  } catch {
    // A quote that is never closed: the line as it stands shows what is wrong with it.
    return (text.split(/\r?\n|\r/, 1)[0] ?? '').split(',');
  }
}

/** Counts records that are not blank, byte by byte: quotes matter only where a field may hold line breaks. */
class RecordCounter {
  #records = 0;
  #hasContent = false;
  #isQuoted = false;
  #isFieldStart = true;
  readonly #multiLine: boolean;

  constructor(multiLine: boolean) {
    this.#multiLine = multiLine;
  }

  add(chunk: Buffer): void {
    if (this.#multiLine) for (const byte of chunk) this.#addQuoteAware(byte);
    else this.#addLines(chunk);
  }

  /** The number of records, once all bytes are in. */
  end(): number {
    return this.#records + (this.#hasContent ? 1 : 0);
  }

  #addLines(chunk: Buffer): void {
    // Looking for one byte is much faster than looking at each: only a file with another kind of line break pays for it.
    if (chunk.includes(carriageReturn)) this.#addBytes(chunk);
    else this.#addWholeLines(chunk);
  }

  #addWholeLines(chunk: Buffer): void {
    let start = 0;
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, start)) {
      if (this.#hasContent || holdsContent(chunk, start, at)) this.#records++;
      this.#hasContent = false;
      start = at + 1;
    }
    this.#hasContent ||= holdsContent(chunk, start, chunk.length);
  }

  #addBytes(chunk: Buffer): void {
    let records = this.#records;
    let hasContent = this.#hasContent;
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index]!;
      if (byte > space) hasContent = true;
      else if ((byte === newline || byte === carriageReturn) && hasContent) {
        records++;
        hasContent = false;
      }
    }
    this.#records = records;
    this.#hasContent = hasContent;
  }

  #addQuoteAware(byte: number): void {
    if (byte === quote && (this.#isQuoted || this.#isFieldStart)) this.#isQuoted = !this.#isQuoted;
    const isBreak = !this.#isQuoted && (byte === newline || byte === carriageReturn);
    if (isBreak && this.#hasContent) this.#records++;
    this.#hasContent = isBreak ? false : this.#hasContent || byte > space;
    // A quote right after a closing one is an escaped quote: it opens the field again.
    this.#isFieldStart = isBreak || byte === comma || (byte === quote && !this.#isQuoted);
  }
}

function holdsContent(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at]! > space) return true;
  return false;
}
