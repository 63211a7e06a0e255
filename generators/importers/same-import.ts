import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { OptionError } from '../options.ts';
import { findState } from '../state.ts';

/** The files that an import writes beside its events, and would overwrite. */
const catalogueFiles = ['dim_songs.csv', 'dim_users.csv'];

/**
 * Throws an OptionError if an import would replace a catalogue that different events need: from a seed, from a
 * different import, or from the user. The same file may be imported again, with any format and column map.
 */
export async function refuseOtherData(source: string, out: string, reportFile: string): Promise<void> {
  const mend = 'give another folder with --out';
  if (await findState(out)) throw new OptionError(`${out} holds generated demo data: ${mend}`);
  const names: readonly string[] = await readdir(out).catch(() => []);
  const found = catalogueFiles.filter((name) => names.includes(name));
  if (found.length === 0) return;
  const earlier = await sourceOf(join(out, reportFile));
  if (earlier !== undefined && resolve(earlier) === resolve(source)) return;
  const owner = earlier === undefined ? 'that no import wrote' : `of an import of ${earlier}`;
  throw new OptionError(`${out} holds ${found.join(' and ')} ${owner}: ${mend}, or remove what is there first`);
}

/** The export that an import report is of; undefined where there is none that can be read. */
async function sourceOf(report: string): Promise<string | undefined> {
  try {
    const { source } = JSON.parse(await readFile(report, 'utf8')) as { source?: unknown };
    return typeof source === 'string' ? source : undefined;
  } catch {
    return undefined;
  }
}
