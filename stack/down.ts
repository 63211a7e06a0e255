import { setTimeout as sleep } from 'node:timers/promises';
import { lockHolder } from './lock.ts';
import { endRecorded } from './supervisor/end-recorded.ts';
import { isAlive } from './supervisor/identity.ts';
import { readRecords, stackFolders } from './supervisor/records.ts';

/** A supervisor stops its services within 20 s. After that, `down` ends the supervisor itself. */
const supervisorGraceMs = 22_000;

/**
 * Stops the supervisor of a state folder and every service it recorded, and nothing else. Answers how many services ran.
 * Safe to repeat, and when the supervisor was killed.
 */
export async function stopStack(stateDir: string): Promise<number> {
  const { runDir, supervisorFile } = stackFolders(stateDir);
  const running = readRecords(runDir).filter(({ identity }) => isAlive(identity)).length;
  const supervisor = lockHolder(supervisorFile);
  if (supervisor) {
    process.kill(supervisor.pid, 'SIGTERM');
    const deadline = Date.now() + supervisorGraceMs;
    while (isAlive(supervisor) && Date.now() < deadline) await sleep(100);
    if (isAlive(supervisor)) process.kill(supervisor.pid, 'SIGKILL');
  }
  // Stop dependent services first, as a supervisor does.
  const order = ['api', 'worker'];
  const left = readRecords(runDir).map(({ service }) => service);
  for (const service of order.filter((name) => left.includes(name))) await endRecorded(stateDir, service);
  await Promise.all(left.filter((name) => !order.includes(name)).map((name) => endRecorded(stateDir, name)));
  return running;
}
