import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { serviceNames } from './services/service.ts';

/** The stack's files in its state folder. All remaining files are not ours and stay. */
const ownEntries = [...serviceNames, 'outbox', 'run', 'logs', 'data-dir.json'];

/** The file of the listeners' tokens, as `npm run token` names it; a change of it lies beside it for a moment. */
const listenerTokens = 'listener_tokens.json';

/**
 * Deletes the files of a stopped stack in its state folder: tables, runs, topics, waiting events, logs. Removes the
 * folder if it is empty then. Deletes credentials only on request, because they fit any new state. Returns the
 * remaining files of the state folder.
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
