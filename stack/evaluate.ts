/**
 * `npm run evaluate -- --train F --test F [--valid F] [--social F] --k 10 --out recs.csv`: runs the production
 * recommender on files of pairs, with a Spark of its own. spark-submit/jobs/evaluate_files.py reads the options and
 * reports errors in them.
 */
import { join } from 'node:path';
import { execa } from 'execa';
import { repositoryRoot } from './config.ts';
import { evaluationEnv } from './evaluation-env.ts';
import { ensureInstalled } from './install/index.ts';
import { runMain } from './interrupts.ts';

await runMain(async ({ stop }) => {
  const { python } = await ensureInstalled();
  const job = join(repositoryRoot, 'spark-submit', 'jobs', 'evaluate_files.py');
  const { exitCode } = await execa(python, [job, ...process.argv.slice(2)], {
    env: { ...evaluationEnv(python), PYTHONUNBUFFERED: '1' },
    extendEnv: false,
    stdio: 'inherit',
    reject: false,
    cancelSignal: stop,
  });
  return exitCode ?? 1;
});
