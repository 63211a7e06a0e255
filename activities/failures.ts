import { ApplicationFailure } from '@temporalio/common';
import { failures, type FailureType } from '../contracts/failures.ts';

/**
 * A failure of the catalogue: its stable type, a message that tells the user how to mend it, and whether a retry can
 * help.
 */
export function failure(
  type: FailureType,
  message: string,
  more: { readonly details?: readonly unknown[]; readonly cause?: unknown } = {},
): ApplicationFailure {
  return ApplicationFailure.create({
    type,
    message,
    nonRetryable: !failures[type].retryable,
    ...(more.details && { details: [...more.details] }),
    ...(more.cause instanceof Error && { cause: more.cause }),
  });
}
