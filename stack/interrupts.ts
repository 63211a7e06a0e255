import { explain, Interrupted } from './errors.ts';

/** The user's wish to stop. */
export interface Interrupts {
  /** Given at the first Ctrl-C, SIGTERM or SIGHUP. */
  readonly stop: AbortSignal;
  /** Given at the second one: at once, please. */
  readonly hurry: AbortSignal;
}

/** Ctrl-C in a terminal reaches us twice, from the terminal and through our parent: signals this close together are one. */
const sameKeyMs = 1_500;

/**
 * Runs a command to its end: signals become Interrupts, an error becomes its message and exit code 1. The process ends
 * when `main` has, whatever connections are still open.
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
  // A terminal that has gone away must not keep us from stopping what we started.
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
