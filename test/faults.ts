/**
 * `npm run test:faults`: the long stories of processes that are killed under load, on the real stack. Ends with one line
 * `N passed, N failed, N skipped`; exits 1 when anything failed, 0 otherwise.
 */
import { ensureInstalled } from '../stack/install/index.ts';
import { runMocha } from './support/suites.ts';

await ensureInstalled();
const { passed, failed, skipped } = await runMocha('faults', ['test/faults/**/*.test.ts']);
console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed > 0 ? 1 : 0;
