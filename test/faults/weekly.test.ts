import { killable, ingestUnderFault, moments } from '../support/weekly-faults.ts';
import { startPipelineWorld, type PipelineWorld } from '../support/pipeline-world.ts';

const minutes = 60_000;

/** The whole matrix on one stack: each service is killed at each moment of a weekly ingestion; nobody helps afterwards. */
describe('the weekly ingestion under fire', function () {
  this.timeout(15 * minutes);
  let world: PipelineWorld;
  before(async () => {
    world = await startPipelineWorld();
    await (await world.start('initialDataLoad', 'initial-load', { refresh: false })).result();
  });
  after(() => world?.stop());

  for (const service of killable) {
    for (const moment of moments) {
      it(`has every row once and a ledger that agrees when ${service} is killed ${moment}`, async () => {
        await ingestUnderFault(world, moment, () => world.stack.kill(service));
      });
    }
  }
});
