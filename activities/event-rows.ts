import { splitRecord } from '../contracts/acceptance/csv.ts';
import { eventTypes } from '../contracts/acceptance/rules.ts';
import { idProblem, isBlank } from '../contracts/acceptance/text.ts';
import { parseTime, timeProblem, type TimeRange } from '../contracts/acceptance/time.ts';
import { carriageReturn, newline } from './csv/bytes.ts';

/** The longest line in bytes. Spark and this check hold a line in memory. A file with a longer line is broken. */
const longestLineBytes = 32 * 1024 * 1024;
const columns = ['event_id', 'user_id', 'track_id', 'event_type', 'timestamp'] as const;
const dayMs = 86_400_000;
const byteOrderMark = '\u{feff}';
/** A line of this length has no id that is too long. */
const usualLineLength = 200;
/**
 * The usual form of a good row, checked by a single expression: id, user, track, type, day, time in UTC. The check
 * splits all other rows into fields.
 */
const usualRow = new RegExp(
  String.raw`^[!#-+\--~]+,[!#-+\--~]+,[!#-+\--~]+,(?:${eventTypes.join('|')}),` +
    String.raw`(\d{4}-\d{2}-\d{2})[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z?$`,
);

/** How many rows of an event file would be refused, and why. */
export interface RefusedCount {
  readonly rows: number;
  readonly reasons: Readonly<Record<string, number>>;
  /** The first line that Spark could not read at all, with the reason; the file cannot be loaded. */
  readonly unreadable?: { readonly line: number; readonly why: string };
}

/**
 * Applies the rules of contracts/acceptance to the bytes of an event file, before the run commits a row. The reasons
 * are the same as in spark-submit/lakehouse/landing, and Spark's verdict on a row is final. A test compares both checks
 * on the same rows.
 */
export class EventRowCounter {
  #carried: Buffer[] = [];
  #carriedBytes = 0;
  #line = 0;
  #isHeaderSeen = false;
  #unreadable: { line: number; why: string } | undefined;
  /** The last day of which all times are in the allowed range: consecutive rows mostly have the same day. */
  #wholeDay = '';
  readonly #reasons = new Map<string, number>();
  readonly #range: TimeRange;

  /** `range` holds the times that are taken. */
  constructor(range: TimeRange) {
    this.#range = range;
  }

  add(chunk: Buffer): void {
    const lastBreak = lastLineBreak(chunk);
    if (lastBreak === -1) {
      this.#carry(chunk);
      return;
    }
    const whole = Buffer.concat([...this.#carried, chunk.subarray(0, lastBreak + 1)]);
    this.#drop();
    this.#carry(chunk.subarray(lastBreak + 1));
    this.#addLines(whole.toString('utf8'));
  }

  /** The count, once all bytes are in. */
  end(): RefusedCount {
    if (this.#carriedBytes > 0) this.#addLines(`${Buffer.concat(this.#carried).toString('utf8')}\n`);
    const rows = [...this.#reasons.values()].reduce((sum, count) => sum + count, 0);
    return {
      rows,
      reasons: Object.fromEntries(this.#reasons),
      ...(this.#unreadable && { unreadable: this.#unreadable }),
    };
  }

  #carry(bytes: Buffer): void {
    this.#carried.push(Buffer.from(bytes));
    this.#carriedBytes += bytes.length;
    if (this.#carriedBytes <= longestLineBytes) return;
    this.#unreadable ??= { line: this.#line + 1, why: `is longer than ${longestLineBytes} bytes` };
    this.#drop();
  }

  #drop(): void {
    this.#carried = [];
    this.#carriedBytes = 0;
  }

  #addLines(text: string): void {
    const lines = text.split(/\r\n|\n|\r/);
    // The text after the last line break is empty.
    lines.pop();
    for (const line of lines) this.#addLine(line);
  }

  #addLine(line: string): void {
    this.#line++;
    if (this.#isHeaderSeen && this.#isUsual(line)) return;
    const record = this.#line === 1 && line.startsWith(byteOrderMark) ? line.slice(1) : line;
    if (!/[^\0- ]/.test(record)) return;
    if (!this.#isHeaderSeen) {
      this.#isHeaderSeen = true;
      return;
    }
    const reason = this.#refusalOf(record);
    if (reason) this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
  }

  #isUsual(line: string): boolean {
    if (line.length > usualLineLength) return false;
    const day = usualRow.exec(line)?.[1];
    if (day === undefined) return false;
    if (day !== this.#wholeDay && !liesWithin(day, this.#range)) return false;
    this.#wholeDay = day;
    return true;
  }

  #refusalOf(line: string): string | undefined {
    const fields = splitRecord(line);
    if (typeof fields === 'string') return 'unclosed_quote';
    return fields.length === columns.length ? refusalOf(fields, this.#range) : 'wrong_column_count';
  }
}

/**
 * The last line break that certainly ends a line. A carriage return at the end of a chunk may be half of a line break.
 */
function lastLineBreak(chunk: Buffer): number {
  const isHalf = chunk.at(-1) === carriageReturn;
  const end = isHalf ? chunk.length - 2 : chunk.length - 1;
  return end < 0 ? -1 : Math.max(chunk.lastIndexOf(newline, end), chunk.lastIndexOf(carriageReturn, end));
}

/** Whether every time of a day in UTC may be taken; false, too, for a day that no calendar has. */
function liesWithin(day: string, range: TimeRange): boolean {
  const start = parseTime(`${day}T00:00Z`);
  return start !== undefined && start >= range.earliestMs && start + dayMs <= range.latestMs;
}

/**
 * The first reason to refuse a row that has the right number of fields, in the order of README.md. Undefined for a good
 * row.
 */
function refusalOf(fields: readonly string[], range: TimeRange): string | undefined {
  const [event, user, track, type, time] = fields as [string, string, string, string, string];
  const missing = fields.findIndex(isBlank);
  if (missing !== -1) return `missing_${columns[missing]}`;
  const problems = [event, user, track].map(idProblem);
  const bad = problems.findIndex((found) => found !== undefined);
  if (bad !== -1) return `${problems[bad]}_${columns[bad]}`;
  if (!eventTypes.some((known) => known === type)) return 'unknown_event_type';
  const problem = timeProblem(time, range);
  return problem && `${problem}_timestamp`;
}
