import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Interrupts waits. A wait leaves nothing behind on the alarm, so a long-lived alarm may serve any number of waits. In
 * contrast, every `Promise.race` against a long-lived promise stays in memory while that promise is pending.
 */
export interface Alarm {
  /** Ends the current wait and all later waits. The first reason counts. */
  ring(reason: string): void;
  /** Undefined until it rings. */
  reason(): string | undefined;
  /** Resolves after this time or when it rings. Does not keep the process alive by itself. */
  pause(ms: number): Promise<void>;
  /** Resolves with the result of the work, or with undefined when the alarm rings. The work itself goes on. */
  cutShort<Result>(work: Promise<Result>): Promise<Result | undefined>;
}

/** An alarm that has not rung yet. */
export function createAlarm(): Alarm {
  const bell = new AbortController();
  const { signal } = bell;
  let first: string | undefined;
  return {
    ring(reason) {
      first ??= reason;
      bell.abort();
    },
    reason: () => first,
    // It rejects only when it is cut short.
    pause: (ms) => sleep(ms, undefined, { signal, ref: false }).catch(() => undefined),
    cutShort: (work) =>
      new Promise((resolve, reject) => {
        const leave = (): void => resolve(undefined);
        if (signal.aborted) leave();
        signal.addEventListener('abort', leave, { once: true });
        void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
      }),
  };
}
