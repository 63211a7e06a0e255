import assert from 'node:assert/strict';
import { startDriversWorld, type DriversWorld } from '../support/delta-drivers.ts';

/** What test/integration/log-store.test.ts shows in small, at length. */
describe('two Spark drivers that race on one table', function () {
  this.timeout(1_800_000);
  let world: DriversWorld;
  before(async () => {
    world = await startDriversWorld();
  });
  after(() => world.stop());

  it('keep every row of 25 appends each, in one commit an append', async () => {
    const table = 's3a://lake/race';
    const idsOf = (name: string): string[] => Array.from({ length: 25 }, (_, index) => `${name}-${100 + index}`);
    await world.first.append({ table, id: '0' });
    await Promise.all([world.first.appendAll(table, idsOf('a')), world.second.appendAll(table, idsOf('b'))]);
    assert.deepEqual(await world.second.ids(table), ['0', ...idsOf('a'), ...idsOf('b')]);
    const [newest] = await world.second.sql(`DESCRIBE HISTORY delta.\`${table}\` LIMIT 1`);
    // Versions 0 to 50: the first append and 25 of each driver.
    assert.equal(newest?.['version'], 50);
  });
});
