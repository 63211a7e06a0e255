import { mkdir, open, readdir, readFile, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { OutgoingEvent } from '../../platform/kafka/producer.ts';

/** The most events in a segment. The spool sends and removes a whole segment. */
const segmentEvents = 500;
const segmentName = /^(\d{12})\.jsonl$/;

interface Segment {
  readonly sequence: number;
  sizeBytes: number;
  events: number;
}

/** A segment's events, in the order they were put there. */
export interface SpooledEvents {
  readonly sequence: number;
  readonly events: readonly OutgoingEvent[];
  /** Unreadable lines: the last line of a process that was killed during a write. */
  readonly tornLines: number;
}

/**
 * Events on disk: a queue of small append-only files in a folder. Its size is bounded, and it survives the process.
 * Only a single process may use a folder.
 */
export class Spool {
  readonly #folder: string;
  readonly #limitBytes: number;
  readonly #segments: Segment[] = [];
  #tail: { readonly segment: Segment; readonly file: FileHandle } | undefined;
  #nextSequence = 1;
  #isOpen = false;

  constructor(options: { readonly folder: string; readonly limitBytes: number }) {
    this.#folder = options.folder;
    this.#limitBytes = options.limitBytes;
  }

  get sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  }

  get events(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.events, 0);
  }

  get isEmpty(): boolean {
    return this.#segments.length === 0;
  }

  /** Finds the segments of an earlier process. Safe to repeat. Rejects if the folder is not usable. */
  async open(): Promise<void> {
    if (this.#isOpen) return;
    await mkdir(this.#folder, { recursive: true });
    const sequences = (await readdir(this.#folder)).flatMap((name) => segmentName.exec(name)?.[1] ?? []).map(Number);
    for (const sequence of sequences.toSorted((one, other) => one - other)) {
      const content = await readFile(this.#path(sequence));
      this.#segments.push({ sequence, sizeBytes: content.length, events: countLines(content) });
      this.#nextSequence = sequence + 1;
    }
    this.#isOpen = true;
  }

  /**
   * Puts events at the end; answers how many of them, from the first on, there was room for. Rejects, with none of them
   * there, when the disk does not take them.
   */
  async append(events: readonly OutgoingEvent[]): Promise<number> {
    await this.open();
    let taken = 0;
    while (taken < events.length) {
      const room = segmentEvents - (this.#tail?.segment.events ?? 0);
      const { text, count } = this.#fitting(events.slice(taken, taken + (room || segmentEvents)));
      if (count === 0) return taken;
      await this.#write(await this.#writableTail(), text, count);
      taken += count;
    }
    return taken;
  }

  /** Puts events into a segment of their own; answers its number, or undefined when there is no room for all of them. */
  async appendSegment(events: readonly OutgoingEvent[]): Promise<number | undefined> {
    await this.open();
    const { text, count } = this.#fitting(events);
    if (count < events.length) return undefined;
    await this.#closeTail();
    const tail = await this.#writableTail();
    await this.#write(tail, text, count);
    await this.#closeTail();
    return tail.segment.sequence;
  }

  /** The oldest events, to be removed once they are sent; undefined when there are none. */
  async oldest(): Promise<SpooledEvents | undefined> {
    await this.open();
    const [segment] = this.#segments;
    if (!segment) return undefined;
    if (this.#tail?.segment === segment) {
      await this.#closeTail();
      return this.oldest();
    }
    const lines = (await readFile(this.#path(segment.sequence), 'utf8')).split('\n').filter((line) => line !== '');
    const events = lines.flatMap(parseLine);
    return { sequence: segment.sequence, events, tornLines: lines.length - events.length };
  }

  async remove(sequence: number): Promise<void> {
    if (this.#tail?.segment.sequence === sequence) await this.#closeTail();
    await rm(this.#path(sequence), { force: true });
    const at = this.#segments.findIndex((segment) => segment.sequence === sequence);
    if (at !== -1) this.#segments.splice(at, 1);
  }

  async close(): Promise<void> {
    await this.#closeTail();
  }

  #path(sequence: number): string {
    return join(this.#folder, `${String(sequence).padStart(12, '0')}.jsonl`);
  }

  async #writableTail(): Promise<{ readonly segment: Segment; readonly file: FileHandle }> {
    if (this.#tail && this.#tail.segment.events < segmentEvents) return this.#tail;
    await this.#closeTail();
    const sequence = this.#nextSequence++;
    const file = await open(this.#path(sequence), 'ax', 0o600);
    const segment: Segment = { sequence, sizeBytes: 0, events: 0 };
    this.#segments.push(segment);
    this.#tail = { segment, file };
    return this.#tail;
  }

  /** As many lines as the bound leaves room for. */
  #fitting(events: readonly OutgoingEvent[]): { readonly text: string; readonly count: number } {
    let room = this.#limitBytes - this.sizeBytes;
    const lines: string[] = [];
    for (const { key, value } of events) {
      const line = `${JSON.stringify({ key, value })}\n`;
      room -= Buffer.byteLength(line);
      if (room < 0) break;
      lines.push(line);
    }
    return { text: lines.join(''), count: lines.length };
  }

  async #write(tail: { segment: Segment; file: FileHandle }, text: string, count: number): Promise<void> {
    const { segment, file } = tail;
    try {
      await file.appendFile(text);
    } catch (error) {
      // A full disk may accept half a line, which would make the next line unreadable, too.
      await file.truncate(segment.sizeBytes).catch(() => this.#closeTail());
      throw error;
    }
    segment.sizeBytes += Buffer.byteLength(text);
    segment.events += count;
  }

  async #closeTail(): Promise<void> {
    const tail = this.#tail;
    this.#tail = undefined;
    await tail?.file.close();
    if (tail && tail.segment.events === 0) await this.remove(tail.segment.sequence);
  }
}

function countLines(content: Buffer): number {
  let count = 0;
  for (let at = content.indexOf(10); at !== -1; at = content.indexOf(10, at + 1)) count++;
  return count;
}

function parseLine(line: string): OutgoingEvent[] {
  try {
    return [JSON.parse(line) as OutgoingEvent];
  } catch {
    return [];
  }
}
