/** A supervisor in a process of its own, for tests that kill it: supervise.ts STATE_DIR SERVICE PORT. */
import { createSupervisor } from '../../stack/supervisor/supervisor.ts';
import { impatient, smallService } from './small-services.ts';

const [stateDir = '', name = '', port = ''] = process.argv.slice(2);
const supervisor = createSupervisor({
  stateDir,
  definitions: [await smallService(name, { port: Number(port) })],
  env: process.env,
  patience: impatient,
});
await supervisor.start();
process.send?.('up');
