/**
 * `npm test`: does the set-up that is missing, runs every test against real services, and ends with one line
 * `N passed, N failed, N skipped`. Exits 1 when anything failed, 0 otherwise.
 */
import { join } from 'node:path';
import { ensureInstalled, type Installed } from '../stack/install/index.ts';
import { ensureChromium } from './support/chromium.ts';
import { ensureFuzzer } from './support/fuzzer.ts';
import { add, nothing, runMocha, startPytest, type Outcome } from './support/suites.ts';

const tools = await ensureInstalled();
await ensureChromium();
await ensureFuzzer();
const total = await runSuites(tools);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? 1 : 0;

async function runSuites(installed: Installed): Promise<Outcome> {
  // Before the others: some of them are about fractions of a second.
  const quick = await runMocha('quick tests', ['test/!(integration|faults)/**/*.test.ts']);
  const sparkJobs = startPytest('Spark jobs', {
    python: installed.python,
    folder: join('spark-submit', 'tests'),
    env: { SEGUE_SPARK_JARS: installed.sparkJarsDir },
  });
  const integration = await runMocha('integration tests', ['test/integration/**/*.test.ts']);
  return [quick, integration, await sparkJobs.outcome()].reduce(add, nothing);
}
