import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { repositoryRoot } from '../config.ts';
import { StackError } from '../errors.ts';
import type { CachedItem } from './cache.ts';
import { venvItem, type Venv } from './venv.ts';

/** The venv with PySpark and the packages of the jobs and their tests. */
export function pythonItem(base: Venv['base']): CachedItem {
  return venvItem({
    name: 'python',
    contents: 'PySpark and its companions',
    lockFile: join(repositoryRoot, 'spark-submit', 'requirements.txt'),
    // The build tools of PySpark's source distribution. They come from the lock, so that they are pinned, too.
    buildTools: ['setuptools', 'wheel', 'packaging'],
    base,
  });
}

/** The folder of PySpark's own distribution (SPARK_HOME). */
export async function sparkHomeOf(folder: string): Promise<string> {
  const [version] = (await readdir(join(folder, 'lib'))).filter((name) => name.startsWith('python3'));
  const home = join(folder, 'lib', version ?? 'python3', 'site-packages', 'pyspark');
  if (!existsSync(join(home, 'bin', 'spark-submit'))) {
    throw new StackError(`${folder} has no PySpark; delete that folder and run the same command again.`);
  }
  return home;
}
