import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { finished } from 'node:stream/promises';

/** A file that is being written; it has its name only once it is whole. */
export interface FileWriter {
  /** Resolves when more may come: memory does not grow with the file. */
  write(bytes: Uint8Array | string): Promise<void>;
}

/**
 * Writes a file under a temporary name in the same folder and renames it when it is complete. After a failure the
 * former file is unchanged.
 */
export async function writeWhole(path: string, fill: (file: FileWriter) => Promise<void>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.part`;
  const stream = createWriteStream(unfinished, { highWaterMark: 1024 * 1024 });
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  const failed = once(stream, 'error').then(([error]) => Promise.reject(error as Error));
  // A waiting caller receives the error. If the disk is full, there may be no waiting caller.
  failed.catch(() => undefined);
  try {
    await fill({
      async write(bytes) {
        if (!stream.write(bytes)) await Promise.race([once(stream, 'drain'), failed]);
      },
    });
    stream.end();
    await finished(stream);
    await rename(unfinished, path);
  } catch (error) {
    stream.destroy();
    await closed;
    await rm(unfinished, { force: true });
    throw error;
  }
}

/** A CSV line, with quotes where RFC 4180 requires them. */
export function csvLine(fields: readonly (string | number)[]): string {
  return `${fields.map((field) => quoteField(String(field))).join(',')}\n`;
}

function quoteField(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

/** Writes lines in pieces of some size, so that a million small writes cost few. */
export async function writeLines(file: FileWriter, lines: Iterable<string>): Promise<void> {
  let piece = '';
  for (const line of lines) {
    piece += line;
    if (piece.length < 256 * 1024) continue;
    await file.write(piece);
    piece = '';
  }
  await file.write(piece);
}
