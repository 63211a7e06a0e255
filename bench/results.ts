import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describeMachine } from './machine.ts';

/** Writes one bench's result as bench/results/<name>.json, with the machine and the day. */
export async function writeResult(name: string, result: object): Promise<string> {
  const folder = fileURLToPath(new URL('./results/', import.meta.url));
  await mkdir(folder, { recursive: true });
  const path = `${folder}${name}.json`;
  const document = { bench: name, measuredAt: new Date().toISOString(), machine: describeMachine(), ...result };
  await writeFile(path, `${JSON.stringify(document, null, 2)}\n`);
  return path;
}

/** The middle value; the mean of the two middle ones for an even number. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('no value, no median');
  const sorted = values.toSorted((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
