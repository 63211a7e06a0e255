import { carriageReturn, holdsContent, newline, space } from './bytes.ts';

/** Counts the non-blank lines of a file in which a line is a record. */
export class LineCounter {
  #lines = 0;
  #hasContent = false;

  add(chunk: Buffer): void {
    // A search for a single byte is much faster than a loop over the bytes. Only a file with a second kind of line
    // break needs the loop.
    if (chunk.includes(carriageReturn)) this.#addBytes(chunk);
    else this.#addWholeLines(chunk);
  }

  /** The number of lines, once all bytes are in. */
  end(): number {
    return this.#lines + (this.#hasContent ? 1 : 0);
  }

  #addWholeLines(chunk: Buffer): void {
    let start = 0;
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, start)) {
      if (this.#hasContent || holdsContent(chunk, start, at)) this.#lines++;
      this.#hasContent = false;
      start = at + 1;
    }
    this.#hasContent ||= holdsContent(chunk, start, chunk.length);
  }

  #addBytes(chunk: Buffer): void {
    let lines = this.#lines;
    let hasContent = this.#hasContent;
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index]!;
      if (byte > space) hasContent = true;
      else if ((byte === newline || byte === carriageReturn) && hasContent) {
        lines++;
        hasContent = false;
      }
    }
    this.#lines = lines;
    this.#hasContent = hasContent;
  }
}
