import { z } from 'zod';
import rules from '../acceptance/rules.json' with { type: 'json' };

/** Ids as contracts/acceptance has them, in zod. */

const { idMaxLength, refusedRanges, blanks } = rules.text;

/** Unpaired surrogates apart: they have a name of their own in patterns, and UTF-8 cannot carry them. */
const controls = refusedRanges
  .filter(([from]) => from !== 'D800')
  .map(([from, to]) => `\\u${from}-\\u${to}`)
  .join('');
const blank = blanks.map((code) => `\\u${code}`).join('');

const control = new RegExp(`[${controls}]|\\p{Surrogate}`, 'u');
const visible = new RegExp(`[^${blank}]`, 'u');

/** The same in one pattern, for descriptions. It is not what checks: over a long text it takes quadratic time. */
export const textPattern = `^[^${controls}]*[^${controls}${blank}][^${controls}]*$`;

/** A text of at most so many characters (code points), none of them refused, not empty and not blank. */
export function requiredText(maxLength: number): z.ZodString {
  return z
    .string()
    .refine((text) => !control.test(text), { message: 'must hold no control characters', abort: true })
    .refine((text) => visible.test(text), { message: 'must not be empty or blank', abort: true })
    .refine((text) => [...text].length <= maxLength, { message: `must have at most ${maxLength} characters` })
    .meta({ minLength: 1, maxLength, pattern: textPattern });
}

/** An id of a user, a track, an event or a model. */
export const acceptedId = requiredText(idMaxLength);
