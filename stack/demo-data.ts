import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repositoryRoot } from './config.ts';
import { generatingMark, hasEvents } from './data-dir.ts';
import { runCommand } from './install/run-command.ts';
import type { Step } from './steps.ts';

/** A step that generates demo data, or nothing when the folder has events. An interrupted generation is done again. */
export async function demoDataStep(dataDir: string, days: number): Promise<Step[]> {
  if (await hasEvents(dataDir)) return [];
  return [
    {
      title: `demo data (${days} days)`,
      async run(report, signal) {
        await mkdir(dataDir, { recursive: true });
        await writeFile(generatingMark(dataDir), '');
        await runCommand({
          purpose: 'Generating demo data',
          file: process.execPath,
          args: [
            ['--import', 'tsx', join(repositoryRoot, 'generators', 'cli.ts')],
            ['seed', '--days', String(days), '--out', dataDir],
          ].flat(),
          cwd: repositoryRoot,
          signal,
          onLine: (line) => report(line.slice(0, 100)),
        });
        await rm(generatingMark(dataDir), { force: true });
      },
    },
  ];
}
