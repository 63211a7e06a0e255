import { accessSync, readFileSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repositoryRoot } from '../config.ts';
import { StackError } from '../errors.ts';
import type { CachedItem } from './cache.ts';
import { runCommand } from './run-command.ts';

const lockFile = join(repositoryRoot, 'spark-submit', 'requirements.txt');

/** What PySpark's source distribution is built with: taken from the lock and installed first, so that it is pinned too. */
const buildTools = ['setuptools', 'wheel', 'packaging'];

/** The venv with PySpark and what the jobs and their tests need, by pip from the lock file with hashes. */
export function pythonItem(base: { readonly file: string; readonly version: string }): CachedItem {
  const lock = readFileSync(lockFile, 'utf8');
  return {
    name: 'python',
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
      const toolsLock = join(folder, 'build-tools.txt');
      await writeFile(toolsLock, requirementsOf(lock, buildTools));
      const install = (file: string): Promise<void> =>
        runCommand({
          purpose: 'Installing PySpark and its companions',
          file: pythonOf(folder),
          args: [
            ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--require-hashes'],
            ['--no-build-isolation', '-r', file],
          ].flat(),
          signal,
          onLine: (line) => report(line.slice(0, 100)),
        });
      await install(toolsLock);
      await install(lockFile);
    },
  };
}

/** The interpreter of the venv. */
export function pythonOf(folder: string): string {
  return join(folder, 'bin', 'python');
}

/** The folder of PySpark's own distribution (SPARK_HOME). */
export async function sparkHomeOf(folder: string): Promise<string> {
  const [version] = (await readdir(join(folder, 'lib'))).filter((name) => name.startsWith('python3'));
  const home = join(folder, 'lib', version ?? 'python3', 'site-packages', 'pyspark');
  if (!isThere(join(home, 'bin', 'spark-submit'))) {
    throw new StackError(`${folder} has no PySpark; delete that folder and run the same command again.`);
  }
  return home;
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
