import { z } from 'zod';
import { id } from '../../contracts/schemas/acceptance.ts';

/** A path parameter that is an id, by the rules that ids of listens have. */
export const idParam = id;

interface IntegerBounds {
  readonly min: number;
  readonly max: number;
  /** Where the query does not have it. */
  readonly otherwise: number;
  /** The error message for all remaining values. */
  readonly message?: string;
}

/** A whole number in a query, in decimal digits alone: `1e3`, `0x10`, ` 5` and an empty value are none. */
export function integerParam({
  min,
  max,
  otherwise,
  message = `must be a whole number from ${min} to ${max}`,
}: IntegerBounds) {
  return z.preprocess(
    (given) => (typeof given === 'string' && /^-?\d{1,15}$/.test(given) ? Number(given) : given),
    z.number(message).int(message).min(min, message).max(max, message).default(otherwise),
  );
}

/** ?limit= of a list. */
export function limitParam(otherwise: number) {
  return integerParam({ min: 1, max: 100, otherwise });
}
