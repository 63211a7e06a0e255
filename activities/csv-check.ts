import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { splitRecord } from '../contracts/acceptance/csv.ts';
import { fromWholeMark, withoutMark } from './csv/bytes.ts';
import { LineCounter } from './csv/line-counter.ts';
import { RecordCounter } from './csv/record-counter.ts';
import { EncodingCheck } from './encoding-check.ts';

/** A header longer than this is no header. */
const longestHeaderBytes = 64 * 1024;
const chunkBytes = 1024 * 1024;

/** The result of a single pass over a CSV. */
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
  /** Receives every chunk in order. The next chunk overwrites the bytes of this chunk. */
  readonly onChunk?: (chunk: Buffer) => void;
  readonly signal?: AbortSignal;
}

/**
 * Reads a CSV through once, in constant memory: header, rows, SHA-256 and encoding. Rows are counted by the rules of
 * contracts/acceptance: as many as bronze and quarantine will have of the file.
 */
export function checkCsv(path: string, options: CsvCheckOptions): Promise<CsvCheck> {
  return checkCsvStream(chunksOf(path), options);
}

/**
 * The bytes of a file, in chunks that share the same memory: garbage collection of new buffers would cost more than all
 * the checks.
 */
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
  const records = options.multiLine ? new RecordCounter() : new LineCounter();
  const encoding = new EncodingCheck();
  let head = Buffer.alloc(0);
  let sizeBytes = 0;
  for await (const chunk of fromWholeMark(source)) {
    options.signal?.throwIfAborted();
    if (head.length < longestHeaderBytes) head = Buffer.concat([head, chunk]).subarray(0, longestHeaderBytes);
    hash.update(chunk);
    records.add(sizeBytes === 0 ? withoutMark(chunk) : chunk);
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

/** The fields of the first line that is not blank; where its quotes do not close, the line as it stands shows it. */
function readHeader(head: Buffer): readonly string[] {
  const lines = withoutMark(head)
    .toString('utf8')
    .split(/\r\n|\n|\r/);
  const line = lines.find((text) => /[^\0- ]/.test(text));
  if (line === undefined) return [];
  const fields = splitRecord(line);
  return typeof fields === 'string' ? line.split(',') : fields;
}
