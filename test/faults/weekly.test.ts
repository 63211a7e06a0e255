import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { weeklyTrendsId } from '../../contracts/ids.ts';
import { generateWeekly } from '../../generators/weekly.ts';
import { reconcileLake } from '../support/lake.ts';
import { startLoadedWorld, type PipelineWorld } from '../support/pipeline-world.ts';
import { mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';
import { until } from '../support/wait.ts';
import { ingestUnderFault, killable, lastFailure, moments } from '../support/weekly-faults.ts';

const minutes = 60_000;

/** The whole matrix on one stack: each service is killed at each moment of a weekly ingestion; nobody helps afterwards. */
describe('the weekly ingestion under fire', function () {
  this.timeout(15 * minutes);
  let world: PipelineWorld;
  before(async () => {
    // Each death here is a new one: what came up again is not given up after the fourth.
    world = await startLoadedWorld({ patience: { stableAfterMs: 1_000 } });
  });
  after(() => world?.stop());

  for (const service of killable) {
    for (const moment of moments) {
      it(`has every row once and a ledger that agrees when ${service} is killed ${moment}`, async () => {
        await ingestUnderFault(world, moment, { strike: () => world.stack.kill(service) });
      });
    }
  }

  it('has every row once when the schedule fires while a manual start runs', async () => {
    await generateWeekly({ count: 1, out: world.dataDir });
    const schedule = world.client.schedule.getHandle(weeklyTrendsId);
    const fired = (await schedule.describe()).info.numActionsTaken;
    const [manual] = await Promise.all([
      world.start('weeklyTrendsIngestion', 'manual', { refresh: false }),
      schedule.trigger(),
    ]);
    await manual.result();
    await until(
      'the scheduled run has ended',
      async () => {
        const { info } = await schedule.describe();
        return info.numActionsTaken > fired && info.runningActions.length === 0;
      },
      { timeoutMs: 10 * minutes, everyMs: 1_000 },
    );
    assert.equal((await schedule.describe()).state.paused, false);
    assert.match(await reconcileLake(world.lake, world.dataDir), /rows agree/);
  });
});

/** What died comes back after half a minute. */
describe('the weekly ingestion while a service is away for 30 s', function () {
  this.timeout(15 * minutes);
  let world: PipelineWorld;
  before(async () => {
    world = await startLoadedWorld({ patience: { firstBackOffMs: 30_000, longestBackOffMs: 30_000 } });
  });
  after(() => world?.stop());

  for (const service of ['minio', 'temporal'] as const) {
    for (const moment of ['in the upload', 'before the commit'] as const) {
      it(`has every row once and a ledger that agrees when ${service} goes ${moment}`, async () => {
        await ingestUnderFault(world, moment, { strike: () => world.stack.kill(service) });
      });
    }
  }
});

/** MinIO's folder lies on a disk that somebody fills, and clears when the failure was seen. */
describe('the weekly ingestion while the disk of MinIO is full', function () {
  this.timeout(15 * minutes);
  let world: PipelineWorld;
  let disk: SmallDisk;
  before(async () => {
    disk = await mountSmallDisk(512);
    world = await startLoadedWorld({
      prepare: async (stateDir) => {
        await mkdir(stateDir);
        await symlink(disk.folder, join(stateDir, 'minio'));
      },
    });
  });
  after(async () => {
    await world?.stop();
    await disk?.remove();
  });

  for (const moment of ['in the upload', 'before the commit', 'before the ledger'] as const) {
    it(`says so, and has every row once and a ledger that agrees when it is full ${moment}`, async () => {
      await ingestUnderFault(world, moment, {
        strike: () => disk.fill(),
        end: async (handle) => {
          try {
            assert.match(await lastFailure(handle), /free disk space|free drive threshold|StorageFull/);
          } finally {
            await disk.free();
          }
        },
      });
    });
  }
});
