export const newline = 0x0a;
export const carriageReturn = 0x0d;
export const quote = 0x22;
export const comma = 0x2c;
export const space = 0x20;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** Whether some byte of a line is more than white space or a control character. */
export function holdsContent(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at]! > space) return true;
  return false;
}

/** The first bytes of a file without its byte order mark. */
export function withoutMark(head: Buffer): Buffer {
  return head.subarray(0, byteOrderMark.length).equals(byteOrderMark) ? head.subarray(byteOrderMark.length) : head;
}

/** The same bytes, the first read of them long enough for a byte order mark to be whole. */
export async function* fromWholeMark(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of source) {
    const next: Buffer = held && held.length > 0 ? Buffer.concat([held, chunk]) : chunk;
    const isWhole: boolean = held === undefined || next.length >= byteOrderMark.length;
    held = isWhole ? undefined : Buffer.from(next);
    if (isWhole) yield next;
  }
  if (held && held.length > 0) yield held;
}

/**
 * Finds the next occurrence of a byte, for positions that only grow. The finder keeps its last hit and does not search
 * that part again.
 */
export class ByteFinder {
  readonly #bytes: Buffer;
  readonly #byte: number;
  #found = -1;

  constructor(bytes: Buffer, byte: number) {
    this.#bytes = bytes;
    this.#byte = byte;
  }

  /** Where the byte comes next, at `start` or after it; past the end where it does not. */
  from(start: number): number {
    if (this.#found >= start) return this.#found;
    const found = this.#bytes.indexOf(this.#byte, start);
    this.#found = found === -1 ? this.#bytes.length : found;
    return this.#found;
  }
}
