import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';
import { putInBackground } from './background.ts';

/** How many tests of a suite ended in which way. */
export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const nothing: Outcome = { passed: 0, failed: 0, skipped: 0 };

export function add(one: Outcome, other: Outcome): Outcome {
  return {
    passed: one.passed + other.passed,
    failed: one.failed + other.failed,
    skipped: one.skipped + other.skipped,
  };
}

/** Runs mocha over some files and counts what its closing lines say. A test that failed may leave a socket open: the run ends all the same. */
export async function runMocha(title: string, files: readonly string[]): Promise<Outcome> {
  const { output, exitCode } = await show(title, 'node', ['node_modules/mocha/bin/mocha.js', '--exit', ...files], {});
  const counted: Outcome = {
    passed: last(output, /^\s*(\d+) passing/gm),
    failed: last(output, /^\s*(\d+) failing/gm),
    skipped: last(output, /^\s*(\d+) pending/gm),
  };
  return believe(title, counted, exitCode);
}

/** A suite that runs beside others. */
export interface RunningSuite {
  /** Shows what it has printed, and the rest as it comes; gives the outcome when it has ended. */
  outcome(): Promise<Outcome>;
}

/**
 * Starts pytest over a folder, in two processes, with the stack's Python, in the background: it takes the time in which the
 * other tests wait for something. Its closing line is counted.
 */
export function startPytest(
  title: string,
  { python, folder, env }: { readonly python: string; readonly folder: string; readonly env: Record<string, string> },
): RunningSuite {
  const args = ['-m', 'pytest', '--color=no', '-q', '-n', '2', '--dist', 'loadfile', '--durations=20', folder];
  const running = execa(python, args, { env, reject: false, stdin: 'ignore', all: true, detached: true });
  putInBackground(running, running);
  let take = (chunk: Buffer): unknown => held.push(chunk);
  const held: Buffer[] = [];
  running.all.on('data', (chunk: Buffer) => take(chunk));
  return {
    outcome: async () => {
      console.log(`\n== ${title}`);
      for (const chunk of held) process.stdout.write(chunk);
      take = (chunk) => process.stdout.write(chunk);
      const { all, exitCode } = await running;
      const output = stripVTControlCharacters(all);
      const counted: Outcome = {
        passed: last(output, /(\d+) passed/g),
        failed: last(output, /(\d+) failed/g) + last(output, /(\d+) errors?\b/g),
        skipped: last(output, /(\d+) skipped/g),
      };
      return believe(title, counted, exitCode);
    },
  };
}

async function show(
  title: string,
  command: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<{ output: string; exitCode: number | undefined }> {
  console.log(`\n== ${title}`);
  const { stdout, exitCode } = await execa(command, args, {
    env,
    reject: false,
    stdin: 'ignore',
    stdout: ['pipe', 'inherit'],
    stderr: 'inherit',
  });
  // CI may force colours, which would hide the figures.
  return { output: stripVTControlCharacters(stdout), exitCode };
}

function last(output: string, pattern: RegExp): number {
  return Number([...output.matchAll(pattern)].at(-1)?.[1] ?? 0);
}

/** A suite that failed without naming a failed test (it crashed, or ran nothing) counts as one failure. */
function believe(title: string, counted: Outcome, exitCode: number | undefined): Outcome {
  const isSilentFailure = counted.failed === 0 && (exitCode !== 0 || counted.passed === 0);
  if (!isSilentFailure) return counted;
  console.error(
    `${title}: ended with exit code ${exitCode ?? 'none'} after ${counted.passed} passed; counted as a failure`,
  );
  return { ...counted, failed: 1 };
}
