/**
 * The result of reading a record of a CSV: its fields. `broken` means that a quote closes wrongly, and `open` means
 * that a quote never closes.
 */
export type SplitRecord = readonly string[] | 'broken' | 'open';

/**
 * Splits the text of a record, without its last line break, by the rules of README.md. With `escape` set to `\`, a
 * quote and a backslash inside quotes may be written `\"` and `\\`, as in MySQL's exports.
 */
export function splitRecord(text: string, escape: '"' | '\\' = '"'): SplitRecord {
  if (!text.includes('"')) return text.split(',');
  const fields: string[] = [];
  for (let at = 0; ;) {
    const field = text[at] === '"' ? quotedField(text, at, escape) : plainField(text, at);
    if (typeof field === 'string') return field;
    fields.push(field.value);
    if (field.end === text.length) return fields;
    at = field.end + 1;
  }
}

interface Field {
  readonly value: string;
  /** Where the comma after it is, or the end of the text. */
  readonly end: number;
}

function plainField(text: string, start: number): Field {
  const comma = text.indexOf(',', start);
  const end = comma === -1 ? text.length : comma;
  return { value: text.slice(start, end), end };
}

function quotedField(text: string, start: number, escape: '"' | '\\'): Field | 'broken' | 'open' {
  const close = escape === '"' ? closingQuote(text, start + 1) : unescapedQuote(text, start + 1);
  if (close === -1) return 'open';
  const end = close + 1;
  if (end < text.length && text[end] !== ',') return 'broken';
  const value = text.slice(start + 1, close);
  return { value: escape === '"' ? value.replaceAll('""', '"') : value.replaceAll(/\\(["\\])|""/g, unescape), end };
}

function unescape(pair: string, escaped: string | undefined): string {
  return escaped ?? pair.charAt(0);
}

/** Where the next quote is that is not doubled. */
function closingQuote(text: string, start: number): number {
  let at = text.indexOf('"', start);
  while (at !== -1 && text[at + 1] === '"') at = text.indexOf('"', at + 2);
  return at;
}

/** The same where a backslash takes the quote after it into the field, too. */
function unescapedQuote(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"' && text[at + 1] === '"') at++;
    else if (text[at] === '"') return at;
  }
  return -1;
}
