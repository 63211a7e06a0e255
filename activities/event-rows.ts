import { parse } from 'csv-parse/sync';

/** Spark's parser holds a line in memory, as this one does; a longer one is no row but a broken file. */
const longestLineBytes = 32 * 1024 * 1024;
/** Spark's parser gives up on a line with more fields than this. */
const mostFields = 20_000;
const eventTypes = new Set(['complete_listen', 'like', 'skip']);
const required = ['event_id', 'user_id', 'track_id', 'event_type', 'timestamp'] as const;
const timestampText =
  /^(\d{4})-(\d{2})-(\d{2})[T ](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.\d{0,})?)?\s*(?:Z|UTC|GMT|UT|(?:UTC|GMT|UT)?[+-]\d{1,2}(?::?\d{2}(?::?\d{2})?)?|[A-Za-z]+(?:\/[A-Za-z_]+)+)?$/;
/** A good row as nearly all are, told by one look: id, user, track, type, day, time in UTC. What it does not know is split. */
const usualRow = new RegExp(
  String.raw`^[^\0- ",]+,[^\0- ",]+,[^\0- ",]+,(?:${[...eventTypes].join('|')}),` +
    String.raw`(\d{4})-(\d{2})-(\d{2})[T ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d*)?Z?$`,
);
const earliestYear = 1970;
const firstYearTooLate = 2100;

/** How many rows of an event file would be refused, and why. */
export interface RefusedCount {
  readonly rows: number;
  readonly reasons: Readonly<Record<string, number>>;
  /** The first line that Spark could not read at all, with the reason; the file cannot be loaded. */
  readonly unreadable?: { readonly line: number; readonly why: string };
}

/**
 * Applies the rules of bronze/fact_listening_events to the bytes of an event file, before anything is committed: the same
 * reasons as spark-submit/lakehouse/landing.py gives, which remains the one that decides row by row. A test runs both over
 * the same rows.
 */
export class EventRowCounter {
  #carried: Buffer[] = [];
  #carriedBytes = 0;
  #line = 0;
  #isHeaderSeen = false;
  #unreadable: { line: number; why: string } | undefined;
  readonly #reasons = new Map<string, number>();

  add(chunk: Buffer): void {
    const lastBreak = Math.max(chunk.lastIndexOf(0x0a), chunk.lastIndexOf(0x0d));
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
    if (this.#carriedBytes > 0) this.#addLine(Buffer.concat(this.#carried).toString('utf8'));
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
    // What comes after the last line break is nothing.
    lines.pop();
    for (const line of lines) this.#addLine(line);
  }

  #addLine(line: string): void {
    this.#line++;
    if (this.#isHeaderSeen && isUsual(line)) return;
    if (!/[^\0- ]/.test(line)) return;
    if (!this.#isHeaderSeen) {
      this.#isHeaderSeen = true;
      return;
    }
    const fields = splitLine(line);
    if (fields && fields.length > mostFields) {
      this.#unreadable ??= { line: this.#line, why: `has more than ${mostFields} fields` };
    }
    const reason = refusalOf(fields);
    if (reason) this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
  }
}

function isUsual(line: string): boolean {
  const found = usualRow.exec(line);
  return found !== null && isDay(Number(found[1]), Number(found[2]), Number(found[3]));
}

/** The fields of one line; undefined where its quotes do not close. */
function splitLine(line: string): readonly string[] | undefined {
  if (!line.includes('"')) return line.split(',');
  try {
    const [fields] = parse(line, { relaxQuotes: true, relaxColumnCount: true });
    return fields;
  } catch {
    // An open quote: Spark, too, takes such a line for one of another number of fields.
    return undefined;
  }
}

/** The first reason to refuse a row, in the order of the Spark side; undefined for a good one. */
function refusalOf(fields: readonly string[] | undefined): string | undefined {
  if (fields?.length !== required.length) return 'wrong_column_count';
  const missing = required.findIndex((_, index) => /^ *$/.test(fields[index]!));
  if (missing !== -1) return `missing_${required[missing]}`;
  if (!eventTypes.has(fields[3]!)) return 'unknown_event_type';
  return isTimestamp(fields[4]!) ? undefined : 'bad_timestamp';
}

function isTimestamp(text: string): boolean {
  const found = timestampText.exec(text);
  if (!found || text.length < '2024-01-01T00:00'.length) return false;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found
    .slice(1, 7)
    .map((part) => (part === undefined ? 0 : Number(part)));
  return isDay(year, month, day) && hour < 24 && minute < 60 && second < 60;
}

function isDay(year: number, month: number, day: number): boolean {
  const isYear = year >= earliestYear && year < firstYearTooLate;
  return isYear && month >= 1 && month <= 12 && day >= 1 && (day <= 28 || day <= daysIn(year, month));
}

function daysIn(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}
