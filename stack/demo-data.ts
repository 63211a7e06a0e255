import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OptionError } from '../generators/options.ts';
import { readState, type GenerationState } from '../generators/state.ts';
import { repositoryRoot } from './config.ts';
import { generatingMark, hasEvents } from './data-dir.ts';
import { StackError } from './errors.ts';
import { runCommand } from './install/run-command.ts';
import type { Step } from './steps.ts';

const quickDays = 90;

/**
 * Steps that generate missing demo data and a missing weekly file. An interrupted generation starts again. A folder
 * with the user's own CSVs gets no weekly file. Throws if the folder does not hold the requested days. Without a
 * request, all data fits.
 */
export async function demoDataSteps(dataDir: string, askedDays?: number): Promise<Step[]> {
  if (!(await hasEvents(dataDir))) {
    const seeding = seedStep(dataDir, askedDays ?? quickDays);
    return [seeding, { ...weekStep(dataDir), after: [seeding] }];
  }
  const state = await stateOf(dataDir);
  if (askedDays !== undefined && state?.options.days !== askedDays) throw otherData(dataDir, askedDays, state);
  return state?.lastWeekEnd === null ? [weekStep(dataDir)] : [];
}

function otherData(dataDir: string, askedDays: number, state: GenerationState | undefined): StackError {
  const elsewhere = 'set SEGUE_DATA_DIR and SEGUE_STATE_DIR to other folders';
  if (!state) {
    return new StackError(
      `${dataDir} holds listens that the generator did not make, so ${askedDays} days of demo data have no place there: ${elsewhere}.`,
    );
  }
  return new StackError(
    `${dataDir} holds ${state.options.days} days of demo data, not ${askedDays}: run ` +
      `"npm run generate -- seed --days ${askedDays} --out ${dataDir}" and start again, or ${elsewhere}.`,
  );
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

/** The generator's note about the folder. Undefined if the generator did not make the folder's events. */
async function stateOf(dataDir: string): Promise<GenerationState | undefined> {
  try {
    return await readState(dataDir);
  } catch (error) {
    if (error instanceof OptionError) return undefined;
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
