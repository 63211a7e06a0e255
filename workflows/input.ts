import { ApplicationFailure } from '@temporalio/common';
import type { FailureType } from '../contracts/failures.ts';

/** The allowed values of an input field, and their description for an error message. */
interface Field {
  readonly is: string;
  readonly fits: (value: unknown) => boolean;
}

const flag: Field = { is: 'true or false', fits: (value) => typeof value === 'boolean' };
const hours: Field = { is: 'a number of hours above 0', fits: (value) => typeof value === 'number' && value > 0 };
const files: Field = {
  is: 'a whole number from 1 to 64',
  fits: (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 64,
};
const text: Field = { is: 'a text', fits: (value) => typeof value === 'string' && value !== '' };
const texts: Field = { is: 'a list of texts', fits: (value) => Array.isArray(value) && value.every(text.fits) };
const place: Field = { is: '"table" or "earliest"', fits: (value) => value === 'table' || value === 'earliest' };

/** The fields of each workflow's input, a JSON object. Every field is optional. */
const inputs = {
  initialDataLoad: { refresh: flag },
  weeklyTrendsIngestion: { refresh: flag, parallel: files },
  refreshRecommendations: { force: flag },
  streamEvents: { startFrom: place },
  measureOutcomes: { windowHours: hours },
  maintainLakehouse: { tables: texts, retentionHours: hours },
  rollbackModel: { modelVersion: text },
} satisfies Record<string, Readonly<Record<string, Field>>>;

const inputInvalid: FailureType = 'InputInvalid';

/** Fails the run before its first step if the input does not fit the workflow type. */
export function checkInput(type: keyof typeof inputs, input: unknown): void {
  const wrong = problems(inputs[type], input);
  if (wrong.length === 0) return;
  const takes = Object.keys(inputs[type]).join(', ');
  throw ApplicationFailure.nonRetryable(
    `${type} cannot be started with ${JSON.stringify(input)}: ${wrong.join('; ')}. It takes no input, or one JSON object with any of: ${takes}. Nothing was done.`,
    inputInvalid,
  );
}

function problems(fields: Readonly<Record<string, Field>>, input: unknown): readonly string[] {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return ['it is no JSON object'];
  return Object.entries(input).flatMap(([name, value]) => {
    const field = fields[name];
    if (!field) return [`${name} is not known`];
    return value === undefined || field.fits(value) ? [] : [`${name} must be ${field.is}`];
  });
}
