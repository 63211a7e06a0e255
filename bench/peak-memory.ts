import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { RunningStack } from '../stack/stack.ts';

/** Peak resident memory of each service, where the system tells (Linux). */
export async function peakMemory(stack: RunningStack): Promise<Record<string, number>> {
  const peaks: Record<string, number> = {};
  for (const { name, pid } of stack.status()) {
    const path = `/proc/${pid}/status`;
    if (pid === undefined || !existsSync(path)) continue;
    const [, kibibytes] = /VmHWM:\s+(\d+) kB/.exec(await readFile(path, 'utf8')) ?? [];
    if (kibibytes !== undefined) peaks[name] = Math.round(Number(kibibytes) / 1024);
  }
  return peaks;
}
