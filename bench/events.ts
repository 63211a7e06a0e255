import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serviceNames } from '../stack/services/service.ts';
import { startStreamWorld } from '../test/support/stream-world.ts';
import { measureLake } from './events-lake.ts';
import { writeResult } from './results.ts';

/** Live events on the whole stack: from an accepted post to a readable row of the lake, and a backlog that drains. */
export async function benchEvents(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'segue-bench-'));
  const world = await startStreamWorld({}, { services: serviceNames });
  try {
    const lake = await measureLake(world, folder);
    console.log(JSON.stringify(lake, null, 2));
    console.log(`written to ${await writeResult('events', { lake })}`);
  } finally {
    await world.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
