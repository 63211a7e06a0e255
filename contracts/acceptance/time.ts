import { rules } from './rules.ts';
import { isBlank } from './text.ts';

const minuteMs = 60_000;
/** The Gregorian calendar repeats after 400 years. `Date.UTC` reads a year below 100 as a year of the 20th century. */
const cycleYears = 400;
const cycleMs = 146_097 * 24 * 60 * minuteMs;
const grammar =
  /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?:Z|([+-])(\d{2})(?::?(\d{2}))?)?$/;

/** Times that are taken, both ends among them: milliseconds since 1970. */
export interface TimeRange {
  readonly earliestMs: number;
  readonly latestMs: number;
}

/** Why a well-formed time is not taken. */
export type RangeProblem = 'too_early' | 'too_late';

/** Milliseconds since 1970 of a time in the grammar of README.md, its fraction cut; undefined for any other text. */
export function parseTime(text: string): number | undefined {
  const found = grammar.exec(text);
  if (!found) return undefined;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((part) => Number(part ?? 0));
  if (!isDay(year!, month!, day!) || hour! > 23 || minute! > 59 || second! > 59) return undefined;
  const offsetMinutes = offsetOf(found[8], found[9], found[10]);
  if (offsetMinutes === undefined) return undefined;
  const milliseconds = Number((found[7] ?? '').padEnd(3, '0').slice(0, 3));
  const local = Date.UTC(year! + cycleYears, month! - 1, day, hour, minute, second, milliseconds) - cycleMs;
  return local - offsetMinutes * minuteMs;
}

/** Whether the calendar has this day, from the year 1 on. */
function isDay(year: number, month: number, day: number): boolean {
  if (year < 1 || month < 1 || month > 12 || day < 1) return false;
  return day <= 28 || day <= new Date(Date.UTC(year + cycleYears, month, 0)).getUTCDate();
}

function offsetOf(sign: string | undefined, hours = '0', minutes = '0'): number | undefined {
  const offset = Number(hours) * 60 + Number(minutes);
  if (Number(minutes) > 59 || offset > rules.time.longestOffsetMinutes) return undefined;
  return sign === '-' ? -offset : offset;
}

/** The times of listens that are taken at this moment; `earliest` is a time in the grammar. Throws a RangeError for another. */
export function timeRange(earliest: string, now: Date): TimeRange {
  const earliestMs = parseTime(earliest);
  if (earliestMs === undefined) throw new RangeError(`${earliest} is no time by the grammar of contracts/acceptance`);
  return { earliestMs, latestMs: now.getTime() + rules.time.aheadMinutes * minuteMs };
}

/** The reason why a moment is outside the range. Undefined for a moment in the range. */
export function rangeProblem(ms: number, { earliestMs, latestMs }: TimeRange): RangeProblem | undefined {
  if (ms < earliestMs) return 'too_early';
  return ms > latestMs ? 'too_late' : undefined;
}

/** The problem of a listen's time. Undefined for a good time. */
export function timeProblem(text: string, range: TimeRange): 'missing' | 'bad' | RangeProblem | undefined {
  if (isBlank(text)) return 'missing';
  const ms = parseTime(text);
  return ms === undefined ? 'bad' : rangeProblem(ms, range);
}
