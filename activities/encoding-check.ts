import { isUtf8 } from 'node:buffer';
import { carriageReturn, newline } from './csv/bytes.ts';

/**
 * Finds the first line that is not UTF-8 or holds a NUL byte, which no text has; sequences may be split between chunks. A line
 * ends at \n, \r\n or \r.
 */
export class EncodingCheck {
  #line = 1;
  #carried = Buffer.alloc(0);
  #firstBadLine: number | undefined;

  add(chunk: Buffer): void {
    const lastBreak = chunk.lastIndexOf(newline);
    if (lastBreak === -1) {
      const bytes = Buffer.concat([this.#carried, chunk]);
      this.#take(bytes.subarray(0, lastCharacter(bytes)));
      this.#carried = bytes.subarray(lastCharacter(bytes));
      return;
    }
    const firstBreak = chunk.indexOf(newline);
    this.#take(Buffer.concat([this.#carried, chunk.subarray(0, firstBreak + 1)]));
    this.#take(chunk.subarray(firstBreak + 1, lastBreak + 1));
    this.#carried = Buffer.from(chunk.subarray(lastBreak + 1));
  }

  #take(bytes: Buffer): void {
    if (this.#firstBadLine !== undefined) return;
    if (!isText(bytes)) this.#firstBadLine = this.#line + linesBeforeBadOne(bytes);
    else this.#line += countLines(bytes);
  }

  end(): number | undefined {
    this.#take(this.#carried);
    return this.#firstBadLine;
  }
}

/** Where the last character begins, which the next chunk may complete: of UTF-8's four bytes at most, or a line break of two. */
function lastCharacter(bytes: Buffer): number {
  if (bytes.at(-1) === carriageReturn) return bytes.length - 1;
  for (let at = bytes.length - 1; at >= Math.max(0, bytes.length - 4); at--) {
    if ((bytes[at]! & 0xc0) !== 0x80) return at;
  }
  return bytes.length;
}

function isText(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.includes(0);
}

/** Looks for the bytes of a line break, which is much faster than looking at every byte. */
function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) lines++;
  for (let at = bytes.indexOf(carriageReturn); at !== -1; at = bytes.indexOf(carriageReturn, at + 1)) {
    if (bytes[at + 1] !== newline) lines++;
  }
  return lines;
}

function linesBeforeBadOne(bytes: Buffer): number {
  let lines = 0;
  let start = 0;
  for (let at = 0; at < bytes.length; at++) {
    const isEnd = bytes[at] === newline || (bytes[at] === carriageReturn && bytes[at + 1] !== newline);
    if (!isEnd) continue;
    if (!isText(bytes.subarray(start, at))) return lines;
    lines++;
    start = at + 1;
  }
  return lines;
}
