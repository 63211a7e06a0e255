/** An error that a user can mend. The user sees its message without a stack trace. */
export class StackError extends Error {
  override readonly name = 'StackError';
}

/** The command was ended by the user (Ctrl-C); nothing to explain. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor() {
    super('interrupted');
  }
}

/** Rejects with Interrupted once the signal is given. */
export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new Interrupted();
}

/** An error as the lines a user reads: the sentence alone where it is meant for users, everything otherwise. */
export function explain(error: unknown): string {
  if (error instanceof Error && ['StackError', 'ConfigError'].includes(error.name)) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
