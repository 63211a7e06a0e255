import { explain, Interrupted } from './errors.ts';

/** The user's wish to stop. */
export interface Interrupts {
  /** Given at the first Ctrl-C, SIGTERM or SIGHUP. */
  readonly stop: AbortSignal;
  /** Aborts at the second signal: stop at once. */
  readonly hurry: AbortSignal;
}

/**
 * Ctrl-C in a terminal arrives twice, from the terminal and from the parent process. Two signals this close together
 * count as a single signal.
 */
const sameKeyMs = 1_500;

/**
 * Runs a command to its end. Signals become Interrupts, and an error becomes its message and exit code 1. The process
 * ends after `main`, even with open connections.
 */
export async function runMain(main: (interrupts: Interrupts) => Promise<number>): Promise<never> {
  const stop = new AbortController();
  const hurry = new AbortController();
  let firstAtMs: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      firstAtMs ??= Date.now();
      stop.abort();
      if (Date.now() - firstAtMs > sameKeyMs) hurry.abort();
    });
  }
  // A closed terminal must not prevent the stop of the services.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  try {
    process.exit(await main({ stop: stop.signal, hurry: hurry.signal }));
  } catch (error) {
    if (error instanceof Interrupted) process.exit(130);
    console.error(`\n${explain(error)}`);
    process.exit(1);
  }
}

/** Resolves when the signal is given. */
export function untilGiven(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
