import assert from 'node:assert/strict';
import { startFuzzedApi, type RunningFuzzedApi } from '../support/fuzzed-api.ts';
import { fuzz } from '../support/fuzzer.ts';
import { startLiveWorld, type LiveWorld } from '../support/live-world.ts';

const seed = 20;
/** Random requests to each operation, beside those at the limits of its description. */
const examples = 6;

describe('the API under an independent fuzzer', function () {
  this.timeout(10 * 60_000);
  let world: LiveWorld;
  let api: RunningFuzzedApi;
  before(async () => {
    world = await startLiveWorld({ services: ['temporal', 'minio', 'kafka'] });
    api = await startFuzzedApi(world.stack);
  });
  after(async () => {
    await api?.stop();
    await world?.stop();
  });

  it(`does what its description says, in every operation and from one to the next (seed ${seed})`, async () => {
    const { exitCode, output } = await fuzz(api, { seed, examples });
    assert.equal(exitCode, 0, `${output}\n${api.log()}`);
    assert.match(output, /Operations: +24 selected \/ 24 total/);
    assert.match(output, /Stateful/);
    assert.equal((await fetch(`${api.url}/readyz`)).status, 200);
  });
});
