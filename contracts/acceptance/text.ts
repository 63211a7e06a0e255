import { rules } from './rules.ts';

const { idMaxLength, nameMaxLength } = rules.text;

/** The problems of an id or a name. */
export type TextProblem = 'control_character' | 'missing' | 'too_long';

const refused = rules.text.refusedRanges.map(([first, last]) => `\\u${first}-\\u${last}`).join('');
const blank = rules.text.blanks.map((character) => `\\u${character}`).join('');
// With the flag u, a surrogate in a character class matches unpaired surrogates only: a pair counts as a single
// character.
const refusedCharacter = new RegExp(`[${refused}]`, 'u');
const notBlank = new RegExp(`[^${blank}]`, 'u');

/** The pattern of a required text in JSON Schema: a character that is no blank among characters that are not refused. */
export const requiredPattern = `^[^${refused}]*[^${refused}${blank}][^${refused}]*$`;

/** The first problem of a received id. Undefined for a good id. */
export function idProblem(text: string): TextProblem | undefined {
  return textProblem(text, idMaxLength);
}

/** The same of a name: of a track, an artist, a genre, a user. */
export function nameProblem(text: string): TextProblem | undefined {
  return textProblem(text, nameMaxLength);
}

/** Whether a text is empty or consists of blanks alone. */
export function isBlank(text: string): boolean {
  return !notBlank.test(text);
}

function textProblem(text: string, maxLength: number): TextProblem | undefined {
  if (refusedCharacter.test(text)) return 'control_character';
  if (isBlank(text)) return 'missing';
  return isLonger(text, maxLength) ? 'too_long' : undefined;
}

/** Counts code points only where it matters: a text has at most as many of them as UTF-16 units, and at least half. */
function isLonger(text: string, maxLength: number): boolean {
  if (text.length <= maxLength) return false;
  return text.length > 2 * maxLength || Array.from(text).length > maxLength;
}
