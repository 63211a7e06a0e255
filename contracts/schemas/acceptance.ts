import { z } from 'zod';
import { rules } from '../acceptance/rules.ts';
import { idProblem, nameProblem, requiredPattern, type TextProblem } from '../acceptance/text.ts';
import { parseTime, rangeProblem, type RangeProblem, type TimeRange } from '../acceptance/time.ts';

/** The rules of contracts/acceptance in zod. The error for a refused value has the reason in words. */

const { idMaxLength, nameMaxLength } = rules.text;

/** An id: of an event, a user or a track. */
export const id = text(idProblem, idMaxLength);

/** A name: a title, an artist, a genre, a user's name. */
export const name = text(nameProblem, nameMaxLength);

/** A time in the grammar, wherever it lies. */
export const time = timeWithin(() => undefined);

/** The same within a range, which is asked for at every use: it moves with the clock. */
export function listenTime(range: () => TimeRange): typeof time {
  return timeWithin((ms) => rangeProblem(ms, range()), 'listen-time');
}

/** The time until which feedback holds: it may lie ahead. */
export function untilTime(range: () => TimeRange): typeof time {
  return timeWithin((ms) => rangeProblem(ms, { earliestMs: range().earliestMs, latestMs: lastMs }), 'until-time');
}

const lastMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

function text(problemOf: (given: string) => TextProblem | undefined, maxLength: number): z.ZodString {
  const words: Readonly<Record<TextProblem, string>> = {
    control_character: 'holds a control character, a line separator or an unpaired surrogate',
    missing: 'is empty or holds nothing but blanks',
    too_long: `has more than ${maxLength} characters`,
  };
  return z
    .string()
    .superRefine((given, context) => {
      const problem = problemOf(given);
      if (problem) context.addIssue({ code: 'custom', message: words[problem] });
    })
    .meta({ minLength: 1, maxLength, pattern: requiredPattern });
}

/** `format` tells the API's description which times these are. */
function timeWithin(problemOf: (ms: number) => RangeProblem | undefined, format = 'date-time'): z.ZodString {
  const words: Readonly<Record<RangeProblem, string>> = {
    too_early: 'lies before the earliest time that is taken',
    too_late: 'lies after the latest time that is taken',
  };
  return z
    .string()
    .superRefine((given, context) => {
      const ms = parseTime(given);
      const problem = ms === undefined ? undefined : problemOf(ms);
      const message = ms === undefined ? 'is no ISO 8601 time such as 2025-01-07T05:00:00Z' : problem && words[problem];
      if (message) context.addIssue({ code: 'custom', message });
    })
    .meta({ format });
}
