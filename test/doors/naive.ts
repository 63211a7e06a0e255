/**
 * The definition of an acceptable listen once more, character by character and by no code of ours: what the doors are held to.
 * `now` and the limits are those of the tests in this folder.
 */
export const now = new Date('2025-02-01T00:00:00Z');
export const earliest = '2002-10-01T00:00:00Z';
export const columns = ['event_id', 'user_id', 'track_id', 'event_type', 'timestamp'] as const;

const earliestMs = 1_033_430_400_000;
const latestMs = 1_738_371_600_000; // 2025-02-01T01:00:00Z

const blanks =
  ' \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u202f\u205f\u3000\ufeff';

export function isBlank(text: string): boolean {
  for (const character of text) if (!blanks.includes(character)) return false;
  return true;
}

export function textProblem(text: string, mostCharacters: number): string | undefined {
  let count = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const isControl = code < 32 || (code >= 127 && code < 160);
    if (isControl || code === 0x2028 || code === 0x2029 || (code >= 0xd800 && code <= 0xdfff))
      return 'control_character';
    count++;
  }
  if (isBlank(text)) return 'missing';
  return count > mostCharacters ? 'too_long' : undefined;
}

/** Milliseconds since 1970, by counting days; undefined for what the grammar does not have. */
export function instant(text: string): number | undefined {
  let rest = text;
  const digits = (count: number): number => {
    const taken = rest.slice(0, count);
    rest = rest.slice(count);
    return taken.length === count && Array.from(taken).every((digit) => '0123456789'.includes(digit))
      ? Number(taken)
      : NaN;
  };
  const sign = (signs: string): string | undefined => {
    if (rest === '' || !signs.includes(rest.charAt(0))) return undefined;
    const [taken] = rest;
    rest = rest.slice(1);
    return taken;
  };
  const year = digits(4);
  if (!sign('-')) return undefined;
  const month = digits(2);
  if (!sign('-')) return undefined;
  const day = digits(2);
  if (!sign('T ')) return undefined;
  const hour = digits(2);
  if (!sign(':')) return undefined;
  const minute = digits(2);
  let second = 0;
  let milliseconds = 0;
  if (sign(':')) {
    second = digits(2);
    if (sign('.')) {
      let fraction = '';
      for (let next = sign('0123456789'); next; next = sign('0123456789')) fraction += next;
      if (fraction === '' || fraction.length > 9) return undefined;
      milliseconds = Number(`${fraction}00`.slice(0, 3));
    }
  }
  let offset = 0;
  if (!sign('Z')) {
    const direction = sign('+-');
    if (direction) {
      const hours = digits(2);
      let minutes = 0;
      if (rest !== '') {
        sign(':');
        minutes = digits(2);
      }
      if (!(minutes < 60) || !(hours * 60 + minutes <= 18 * 60)) return undefined;
      offset = (direction === '-' ? -1 : 1) * (hours * 60 + minutes);
    }
  }
  if (rest !== '' || !(hour < 24) || !(minute < 60) || !(second < 60)) return undefined;
  if (!(year >= 1) || !(month >= 1 && month <= 12) || !(day >= 1 && day <= daysOf(year, month))) return undefined;
  const minutes = (daysBefore(year, month) + day - 1) * 24 * 60 + hour * 60 + minute - offset;
  return (minutes * 60 + second) * 1000 + milliseconds;
}

function daysOf(year: number, month: number): number {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return month === 2 && isLeap ? 29 : [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]!;
}

/** Days from 1970-01-01 to the first of a month. */
function daysBefore(year: number, month: number): number {
  let days = 0;
  for (let each = 1970; each < year; each++) days += daysOf(each, 2) + 337;
  for (let each = year; each < 1970; each++) days -= daysOf(each, 2) + 337;
  for (let each = 1; each < month; each++) days += daysOf(year, each);
  return days;
}

export function rangeProblem(ms: number): string | undefined {
  if (ms < earliestMs) return 'too_early';
  return ms > latestMs ? 'too_late' : undefined;
}

export function timeProblem(text: string): string | undefined {
  const ms = instant(text);
  return ms === undefined ? 'bad' : rangeProblem(ms);
}

export function isEventType(text: unknown): boolean {
  return text === 'complete_listen' || text === 'like' || text === 'skip';
}

/** Why a row of an event file is refused; undefined for a good one. */
export function rowProblem(line: string): string | undefined {
  const fields = fieldsOf(line);
  if (!fields) return 'unclosed_quote';
  if (fields.length !== 5) return 'wrong_column_count';
  for (const [index, column] of columns.entries()) if (isBlank(fields[index]!)) return `missing_${column}`;
  for (const index of [0, 1, 2]) {
    const problem = textProblem(fields[index]!, 200);
    if (problem) return `${problem}_${columns[index]}`;
  }
  if (!isEventType(fields[3])) return 'unknown_event_type';
  const problem = timeProblem(fields[4]!);
  return problem && `${problem}_timestamp`;
}

/** The fields of one record's text; undefined where a quote closes wrongly or never. */
export function fieldsOf(record: string): readonly string[] | undefined {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    let field = '';
    if (record.charAt(at) === '"') {
      at++;
      for (;;) {
        if (at >= record.length) return undefined;
        if (record.charAt(at) !== '"') field += record.charAt(at++);
        else if (record.charAt(at + 1) === '"') {
          field += '"';
          at += 2;
        } else break;
      }
      at++;
      if (at < record.length && record.charAt(at) !== ',') return undefined;
    } else while (at < record.length && record.charAt(at) !== ',') field += record.charAt(at++);
    fields.push(field);
    if (at >= record.length) return fields;
    at++;
  }
}

/**
 * Rows after the header of a file whose quotes may hold line breaks: tries, from each line on, one line more each time, until
 * the text is a record; where it never is one with as many fields as the header, the first line counts alone.
 */
export function countRecords(text: string): number {
  const lines = linesOf(text);
  let columnCount: number | undefined;
  let records = 0;
  for (let at = 0; at < lines.length; at++) {
    if (!/[^\0- ]/.test(lines[at]!.text)) continue;
    records++;
    if (columnCount === undefined) columnCount = fieldsOf(lines[at]!.text)?.length ?? 0;
    else at = lastLineOf(lines, at, columnCount);
  }
  return Math.max(0, records - 1);
}

interface Line {
  readonly text: string;
  readonly ending: string;
}

function lastLineOf(lines: readonly Line[], first: number, columnCount: number): number {
  let record = '';
  for (let last = first; last < lines.length; last++) {
    record += lines[last]!.text;
    const fields = fieldsOf(record);
    // The first place at which the quotes are closed is the record's end, for better or worse.
    if (fields) return last === first || fields.length === columnCount ? last : first;
    record += lines[last]!.ending;
  }
  return first;
}

function linesOf(text: string): readonly Line[] {
  const lines: Line[] = [];
  let line = '';
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character !== '\n' && character !== '\r') {
      line += character;
      continue;
    }
    const ending = character === '\r' && text.charAt(at + 1) === '\n' ? '\r\n' : character;
    at += ending.length - 1;
    lines.push({ text: line, ending });
    line = '';
  }
  return [...lines, { text: line, ending: '' }];
}
