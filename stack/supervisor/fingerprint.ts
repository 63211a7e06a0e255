import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceDefinition } from '../services/service.ts';

/**
 * A hash of everything that determines a service: command, settings, values of secrets, files. The hash is not
 * reversible.
 */
export function fingerprintOf(definition: ServiceDefinition): string {
  const { command, fingerprint = '' } = definition;
  const env = Object.keys(command.env)
    .toSorted()
    .map((name) => [name, command.env[name]]);
  return sha256(JSON.stringify([command.file, command.args, env, command.withoutEnv?.source, fingerprint]));
}

/** A hash of the content of all files with these endings under some folders. */
export function hashFolders(folders: readonly string[], endings: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of folders.flatMap((folder) => filesUnder(folder, endings))) {
    hash.update(path).update(readFileSync(path));
  }
  return hash.digest('hex');
}

export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function filesUnder(folder: string, endings: readonly string[]): string[] {
  const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted();
  return entries.filter((name) => endings.some((ending) => name.endsWith(ending))).map((name) => join(folder, name));
}
