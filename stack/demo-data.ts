import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OptionError } from '../generators/options.ts';
import { readState } from '../generators/state.ts';
import { repositoryRoot } from './config.ts';
import { generatingMark, hasEvents } from './data-dir.ts';
import { runCommand } from './install/run-command.ts';
import type { Step } from './steps.ts';

/**
 * Steps that generate demo data and one weekly file, as far as the folder has none. An interrupted generation is done again;
 * a folder of one's own CSVs, which the generator did not make, gets no week.
 */
export async function demoDataSteps(dataDir: string, days: number): Promise<Step[]> {
  const isSeeded = await hasEvents(dataDir);
  const seeding = seedStep(dataDir, days);
  if (!isSeeded) return [seeding, { ...weekStep(dataDir), after: [seeding] }];
  return (await lacksWeek(dataDir)) ? [weekStep(dataDir)] : [];
}

function seedStep(dataDir: string, days: number): Step {
  return {
    title: `demo data (${days} days)`,
    async run(report, signal) {
      await mkdir(dataDir, { recursive: true });
      await writeFile(generatingMark(dataDir), '');
      await generate(['seed', '--days', String(days), '--out', dataDir], report, signal);
      await rm(generatingMark(dataDir), { force: true });
    },
  };
}

function weekStep(dataDir: string): Step {
  return { title: 'demo week', run: (report, signal) => generate(['weekly', '--out', dataDir], report, signal) };
}

/** Whether the generator made the folder's events and no week yet. */
async function lacksWeek(dataDir: string): Promise<boolean> {
  try {
    return (await readState(dataDir)).lastWeekEnd === null;
  } catch (error) {
    if (error instanceof OptionError) return false;
    throw error;
  }
}

function generate(args: readonly string[], report: (detail: string) => void, signal: AbortSignal): Promise<void> {
  return runCommand({
    purpose: 'Generating demo data',
    file: process.execPath,
    args: ['--import', 'tsx', join(repositoryRoot, 'generators', 'cli.ts'), ...args],
    cwd: repositoryRoot,
    signal,
    onLine: (line) => report(line.slice(0, 100)),
  });
}
