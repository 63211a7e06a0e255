import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import { failures, type FailureType } from '../contracts/failures.ts';

/** A failure of our catalogue. */
export interface KnownFailure {
  readonly type: FailureType;
  readonly message: string;
}

/** The failure of our catalogue that an activity ended with. */
export function knownFailureOf(error: unknown): KnownFailure | undefined {
  if (!(error instanceof ActivityFailure) || !(error.cause instanceof ApplicationFailure)) return undefined;
  const { type, message } = error.cause;
  return type && type in failures ? { type: type as FailureType, message } : undefined;
}

/**
 * Describes any failure. Temporal wraps a failure in errors that only say where it happened. The first failure that
 * an activity or workflow threw has the reason. Without such a failure, the innermost error has it: for example a
 * timeout.
 */
export function describeFailure(error: unknown): { readonly type: string; readonly message: string } {
  let innermost: unknown = error;
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each instanceof ApplicationFailure) return { type: each.type ?? each.name, message: each.message };
    innermost = each;
  }
  return innermost instanceof Error
    ? { type: innermost.name, message: innermost.message }
    : { type: 'Error', message: String(innermost) };
}
