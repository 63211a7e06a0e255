import { writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/**
 * Gives a process what time the others leave. Linux shares the processor between sessions before it looks at processes: the
 * process must have been started `detached`, in a session of its own, and that gets the lowest priority, too. It and those it
 * started end with this one.
 */
export function putInBackground({ pid }: { readonly pid?: number | undefined }, ended: Promise<unknown>): void {
  if (pid === undefined) return;
  setPriority(pid, constants.priority.PRIORITY_LOW);
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(constants.priority.PRIORITY_LOW));
  } catch {
    // Another system, or one that does not share by session: the priority of the process is enough.
  }
  const end = (): void => {
    process.kill(-pid, 'SIGTERM');
  };
  const endAndLeave = (): void => process.exit(1);
  process.once('exit', end).once('SIGINT', endAndLeave).once('SIGTERM', endAndLeave);
  void ended.finally(() => process.off('exit', end).off('SIGINT', endAndLeave).off('SIGTERM', endAndLeave));
}
