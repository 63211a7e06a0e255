import { spawn } from 'node:child_process';
import { readStackSettings } from './config.ts';
import { loopback } from './environment.ts';
import { ensureInstalled } from './install/index.ts';
import { runMain } from './interrupts.ts';

/** `npm run temporal -- ARGS`: the stack's Temporal CLI, pointed at the stack's server unless told otherwise. */
await runMain(async ({ stop }) => {
  const { temporal } = await ensureInstalled({ signal: stop });
  const { ports } = readStackSettings(process.env);
  const address = process.env['TEMPORAL_ADDRESS'] ?? process.env['SEGUE_TEMPORAL_ADDRESS'] ?? loopback(ports.temporal);
  // Keep it unset if the user has not set it: a profile of the user's may have a value.
  const namespace = process.env['TEMPORAL_NAMESPACE'] || process.env['SEGUE_TEMPORAL_NAMESPACE'];
  const child = spawn(temporal, process.argv.slice(2), {
    stdio: 'inherit',
    env: { ...process.env, TEMPORAL_ADDRESS: address, ...(namespace && { TEMPORAL_NAMESPACE: namespace }) },
  });
  stop.addEventListener('abort', () => child.kill('SIGINT'), { once: true });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 130));
  });
});
