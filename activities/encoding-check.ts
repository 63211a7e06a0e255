import { isUtf8 } from 'node:buffer';

const newline = 0x0a;

/** Finds the first line that is not UTF-8 or holds a NUL byte, which no text has; sequences may be split between chunks. */
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
    if (this.#firstBadLine === undefined && !isText(this.#carried)) this.#firstBadLine = this.#line;
    return this.#firstBadLine;
  }
}

/** Where the last character begins, which the next chunk may complete: of UTF-8's four bytes at most. */
function lastCharacter(bytes: Buffer): number {
  for (let at = bytes.length - 1; at >= Math.max(0, bytes.length - 4); at--) {
    if ((bytes[at]! & 0xc0) !== 0x80) return at;
  }
  return bytes.length;
}

function isText(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.includes(0);
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, at + 1)) lines++;
  return lines;
}

function linesBeforeBadOne(bytes: Buffer): number {
  let lines = 0;
  let start = 0;
  for (let at = bytes.indexOf(newline); at !== -1; at = bytes.indexOf(newline, start)) {
    if (!isText(bytes.subarray(start, at))) return lines;
    lines++;
    start = at + 1;
  }
  return lines;
}
