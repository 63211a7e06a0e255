import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { serviceNames } from './services/service.ts';

/** What a stack writes into its state folder; anything else there is not ours and stays. */
const ownEntries = [...serviceNames, 'outbox', 'run', 'logs', 'data-dir.json'];

/** The file of the listeners' tokens, as `npm run token` names it; a change of it lies beside it for a moment. */
const listenerTokens = 'listener_tokens.json';

/**
 * Deletes what a stopped stack keeps in its state folder: tables, runs, topics, events that wait, logs. The folder itself goes
 * too when nothing else is in it. Credentials are deleted only when asked for: they fit any new state. Answers what is left in
 * the state folder.
 */
export async function deleteState(options: {
  readonly stateDir: string;
  readonly secretsDir: string;
  readonly withSecrets: boolean;
}): Promise<readonly string[]> {
  const { stateDir, secretsDir, withSecrets } = options;
  await Promise.all(ownEntries.map((entry) => rm(join(stateDir, entry), { recursive: true, force: true })));
  const left = await readdir(stateDir).catch(() => undefined);
  if (left?.length === 0) await rmdir(stateDir);
  if (withSecrets) await deleteSecrets(secretsDir);
  return left ?? [];
}

async function deleteSecrets(secretsDir: string): Promise<void> {
  const names: readonly string[] = await readdir(secretsDir).catch(() => []);
  const secrets = names.filter((name) => name.endsWith('.txt') || name.startsWith(listenerTokens));
  await Promise.all(secrets.map((name) => rm(join(secretsDir, name), { force: true })));
}
