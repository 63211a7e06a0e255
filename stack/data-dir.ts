import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StackError } from './errors.ts';

/** The file in which a state folder names its data directory. */
function ownerFile(stateDir: string): string {
  return join(stateDir, 'data-dir.json');
}

/** The data directory a state folder belongs to; undefined while it belongs to none. */
export async function ownedDataDir(stateDir: string): Promise<string | undefined> {
  try {
    return (JSON.parse(await readFile(ownerFile(stateDir), 'utf8')) as { dataDir: string }).dataDir;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new StackError(`${ownerFile(stateDir)} cannot be read: ${(error as Error).message}; delete it.`, {
      cause: error,
    });
  }
}

/**
 * Ties a state folder to a data directory at the first start. Later starts with the same data directory pass. Throws
 * for a different data directory, because its rows would go into the same tables.
 */
export async function claimDataDir(stateDir: string, dataDir: string): Promise<void> {
  const owner = await ownedDataDir(stateDir);
  if (owner === dataDir) return;
  if (owner !== undefined) {
    throw new StackError(
      `The state in ${stateDir} belongs to the data directory ${owner}, not to ${dataDir}: ` +
        'empty it with "npm run stack -- reset", or set SEGUE_STATE_DIR to another folder.',
    );
  }
  await mkdir(stateDir, { recursive: true });
  await writeFile(ownerFile(stateDir), `${JSON.stringify({ dataDir }, null, 2)}\n`);
}

/** Throws if the user's folder of CSVs does not exist. */
export async function refuseMissingFolder(dataDir: string): Promise<void> {
  const found = await stat(dataDir).catch(() => undefined);
  if (found?.isDirectory()) return;
  throw new StackError(`${dataDir} is not a folder: --data wants the folder of your landing CSVs.`);
}

/** Present while demo data is being generated: a folder that has it holds half of it. */
export function generatingMark(dataDir: string): string {
  return join(dataDir, '.generating');
}

/** Whether a folder holds a finished set of events. */
export async function hasEvents(dataDir: string): Promise<boolean> {
  const names: readonly string[] = await readdir(dataDir).catch(() => []);
  return names.some((name) => /^fact_listening_events.*\.csv$/.test(name)) && !names.includes('.generating');
}
