import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { serviceNames } from './services/service.ts';

/** What a stack writes into its state folder; anything else there is not ours and stays. */
const ownEntries = [...serviceNames, 'run', 'logs', 'data-dir.json'];

/**
 * Deletes what a stopped stack keeps in its state folder: tables, runs, topics, logs. The folder itself goes too when
 * nothing else is in it. Credentials are deleted only when asked for: they fit any new state.
 */
export async function deleteState(options: {
  readonly stateDir: string;
  readonly secretsDir: string;
  readonly withSecrets: boolean;
}): Promise<void> {
  const { stateDir, secretsDir, withSecrets } = options;
  await Promise.all(ownEntries.map((entry) => rm(join(stateDir, entry), { recursive: true, force: true })));
  const left = await readdir(stateDir).catch(() => undefined);
  if (left?.length === 0) await rmdir(stateDir);
  if (!withSecrets) return;
  const secrets = (await readdir(secretsDir).catch(() => [])).filter((name) => name.endsWith('.txt'));
  await Promise.all(secrets.map((name) => rm(join(secretsDir, name), { force: true })));
}
