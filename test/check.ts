/** `npm run check`: format, lint, types of TypeScript and Python, and the quick tests; stops nothing at the first failure. */
import { execa } from 'execa';
import { installed } from './support/installed.ts';

interface Check {
  readonly title: string;
  readonly command: string;
  readonly args: readonly string[];
}

const { python } = await installed();
const bin = 'node_modules/.bin';
const checks: readonly Check[] = [
  { title: 'format', command: `${bin}/prettier`, args: ['--check', '--log-level', 'warn', '.'] },
  { title: 'lint', command: `${bin}/oxlint`, args: ['--type-aware', '--quiet'] },
  { title: 'types', command: `${bin}/tsc`, args: ['-p', 'tsconfig.json'] },
  { title: 'types of the workflows', command: `${bin}/tsc`, args: ['-p', 'workflows/tsconfig.json'] },
  { title: 'Python format', command: python, args: ['-m', 'ruff', 'format', '--check', '--quiet', 'spark-submit'] },
  { title: 'Python lint', command: python, args: ['-m', 'ruff', 'check', '--quiet', 'spark-submit'] },
  {
    title: 'quick tests',
    command: `${bin}/mocha`,
    args: ['--reporter', 'dot', 'test/!(integration|faults)/**/*.test.ts'],
  },
];

let failed = 0;
for (const { title, command, args } of checks) {
  const startedAt = Date.now();
  const { exitCode, all } = await execa(command, args, { reject: false, all: true, stdin: 'ignore' });
  const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
  if (exitCode !== 0) failed++;
  console.log(`${exitCode === 0 ? 'ok    ' : 'FAILED'} ${title} (${seconds} s)`);
  if (exitCode !== 0) console.log(all);
}
process.exitCode = failed > 0 ? 1 : 0;
