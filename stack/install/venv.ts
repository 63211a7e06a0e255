import { accessSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CachedItem } from './cache.ts';
import { runCommand } from './run-command.ts';

/** A Python environment of its own. */
export interface Venv {
  readonly name: string;
  /** The name of the packages, for people: 'PySpark and its companions'. */
  readonly contents: string;
  /** The lock file, with hashes. */
  readonly lockFile: string;
  /** Packages of the lock that the build of the remaining packages needs. They are installed first. */
  readonly buildTools: readonly string[];
  /** The Python it is made with. */
  readonly base: { readonly file: string; readonly version: string };
}

/** The venv, by pip from its lock file. */
export function venvItem({ name, contents, lockFile, buildTools, base }: Venv): CachedItem {
  const lock = readFileSync(lockFile, 'utf8');
  return {
    name,
    definition: [lock, base.version.split('.').slice(0, 2).join('.')],
    isUsable: (folder) => isThere(pythonOf(folder)),
    async build(folder, signal, report) {
      await runCommand({
        purpose: 'Making the Python environment',
        file: base.file,
        args: ['-m', 'venv', folder],
        signal,
        onLine: report,
      });
      const install = (file: string): Promise<void> =>
        runCommand({
          purpose: `Installing ${contents}`,
          file: pythonOf(folder),
          args: [
            ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--require-hashes'],
            ['--no-build-isolation', '-r', file],
          ].flat(),
          signal,
          onLine: (line) => report(line.slice(0, 100)),
        });
      if (buildTools.length > 0) {
        const toolsLock = join(folder, 'build-tools.txt');
        await writeFile(toolsLock, requirementsOf(lock, buildTools));
        await install(toolsLock);
      }
      await install(lockFile);
    },
  };
}

/** The interpreter of the venv. */
export function pythonOf(folder: string): string {
  return join(folder, 'bin', 'python');
}

/** The entries of a lock file (a line that names the package, and its hashes) for some packages. */
export function requirementsOf(lock: string, packages: readonly string[]): string {
  const entries = lock.split(/\n(?=[A-Za-z0-9])/);
  const wanted = entries.filter((entry) => packages.some((name) => entry.startsWith(`${name}==`)));
  return wanted.map((entry) => `${entry.trimEnd()}\n`).join('');
}

function isThere(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}
