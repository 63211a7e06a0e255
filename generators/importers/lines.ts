import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { OptionError } from '../options.ts';

const newline = 0x0a;

type Decoder = InstanceType<typeof TextDecoder>;

/** How the text of an export is written. */
export interface TextOptions {
  /** A name of the Encoding Standard such as windows-1252; UTF-8, or UTF-16 with a byte order mark, unless told otherwise. */
  readonly encoding?: string | undefined;
  /** Whether \r alone ends a line, too. */
  readonly endsAtReturns?: boolean;
}

/** Bytes of a file, unpacked when its name ends in .gz. */
function openInput(path: string): Readable {
  const file = createReadStream(path);
  if (!path.endsWith('.gz')) return file;
  const unpacked = createGunzip();
  file.on('error', (error) => unpacked.destroy(error));
  return file.pipe(unpacked);
}

/**
 * The lines of a file, split at \n and \r\n alone unless told otherwise (node:readline also splits at U+2028, which occurs in
 * titles); a byte order mark is left out. Constant memory. Throws an OptionError at the first line that is not of its encoding.
 */
export async function* readLines(
  path: string,
  { encoding, endsAtReturns = false }: TextOptions = {},
): AsyncGenerator<string> {
  const lineBreak = endsAtReturns ? /\r\n|\n|\r/ : /\r?\n/;
  let rest = '';
  let held = '';
  for await (const piece of readText(path, encoding)) {
    const text = held + piece;
    // A return at the end may be the first half of a line break: it waits.
    held = text.endsWith('\r') ? '\r' : '';
    const [first = '', ...lines] = text.slice(0, text.length - held.length).split(lineBreak);
    const last = lines.pop();
    // The search does not look at the earlier bytes of the line again: the cost for a document in a single line would
    // be quadratic.
    rest += first;
    if (last === undefined) continue;
    yield rest;
    yield* lines;
    rest = last;
  }
  if (rest !== '') yield rest;
}

/** The text of a file piece by piece. */
async function* readText(path: string, encoding: string | undefined): AsyncGenerator<string> {
  let decoder: Decoder | undefined;
  let lines = 0;
  /** The bytes of the current line, for finding a bad byte. */
  let begun: Buffer[] = [];
  for await (const chunk of openInput(path) as AsyncIterable<Buffer>) {
    decoder ??= decoderOf(encoding ?? encodingOf(chunk));
    yield decode(decoder, chunk, () => refusal(path, decoder!, lines, Buffer.concat([...begun, chunk])));
    const lastBreak = chunk.lastIndexOf(newline);
    begun = lastBreak === -1 ? [...begun, chunk] : [chunk.subarray(lastBreak + 1)];
    lines += countBreaks(chunk);
  }
  if (decoder) yield decode(decoder, undefined, () => refusal(path, decoder, lines, Buffer.concat(begun)));
}

function decoderOf(encoding: string): Decoder {
  try {
    return new TextDecoder(encoding, { fatal: true });
  } catch (cause) {
    throw new OptionError(`--encoding: ${encoding} is not known; for example utf-8, windows-1252 or utf-16le`, {
      cause,
    });
  }
}

function encodingOf(head: Buffer): string {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  return head[0] === 0xfe && head[1] === 0xff ? 'utf-16be' : 'utf-8';
}

function decode(decoder: Decoder, chunk: Buffer | undefined, refuse: (cause: unknown) => Error): string {
  try {
    return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
  } catch (cause) {
    throw refuse(cause);
  }
}

function refusal(path: string, { encoding }: Decoder, linesBefore: number, bytes: Buffer): OptionError {
  const line = linesBefore + 1 + (encoding === 'utf-8' ? linesBeforeBadOne(bytes) : 0);
  return new OptionError(
    `${path}: line ${line} is not ${encoding.toUpperCase()} text: say what it is (for example --encoding windows-1252), or ` +
      `convert the file (iconv -f WINDOWS-1252 -t UTF-8) and import that`,
  );
}

function countBreaks(bytes: Buffer): number {
  let breaks = 0;
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) breaks++;
  return breaks;
}

function linesBeforeBadOne(bytes: Buffer): number {
  let lines = 0;
  let start = 0;
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, start)) {
    if (!isUtf8(bytes.subarray(start, at))) return lines;
    lines++;
    start = at + 1;
  }
  return lines;
}
