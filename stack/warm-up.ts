import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './config.ts';
import { Interrupted } from './errors.ts';
import type { Installed } from './install/index.ts';
import { runCommand } from './install/run-command.ts';
import { logFile } from './supervisor/records.ts';

const script = join(repositoryRoot, 'stack', 'services', 'spark_warm_up.py');

/**
 * Pays the first queries' cost of a young JVM (half a minute) while other things are being done. Writes to the state
 * folder alone, never to the lake. Never fails: without it the first job takes longer, nothing else.
 */
export async function warmUpSpark(options: {
  readonly installed: Installed;
  readonly env: Readonly<Record<string, string>>;
  readonly stateDir: string;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { installed, env, stateDir, signal } = options;
  const log = (line: string): void => appendFileSync(logFile(stateDir, 'spark-warm-up'), `${line}\n`);
  try {
    await runCommand({
      purpose: 'Warming Spark up',
      file: installed.python,
      args: [script, join(stateDir, 'spark', 'tmp', 'warm-up')],
      env: { SPARK_REMOTE: env['SEGUE_SPARK_REMOTE'] ?? '' },
      signal,
      onLine: log,
    });
  } catch (error) {
    if (!(error instanceof Interrupted)) log((error as Error).message);
  }
}
