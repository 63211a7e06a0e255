import { ensureInstalled } from '../../stack/install/index.ts';

let pending: ReturnType<typeof ensureInstalled> | undefined;

/** The tools the stack runs on, installed if they are missing; asked for once a test run. */
export function installed(): ReturnType<typeof ensureInstalled> {
  pending ??= ensureInstalled();
  return pending;
}
