import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Cuts waiting short. No wait leaves anything behind on it, so it may last as long as a service and be waited on without end;
 * every `Promise.race` against one long-lived promise would stay in memory for as long as that promise is pending.
 */
export interface Alarm {
  /** Ends the present wait and all later ones; the first reason counts. */
  ring(reason: string): void;
  /** Undefined until it rings. */
  reason(): string | undefined;
  /** Resolves after this time or when it rings. Does not keep the process alive by itself. */
  pause(ms: number): Promise<void>;
  /** Resolves with what the work gives, or with undefined when it rings; the work itself goes on. */
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
