import assert from 'node:assert/strict';
import { startStreamWorld, untilInTable, type StreamWorld } from '../support/stream-world.ts';
import { until } from '../support/wait.ts';

const listens = 'bronze/listening_events_stream';

/** One stack for all of these, which run in this order. */
describe('the streams, Kafka to Delta', function () {
  this.timeout(240_000);
  let world: StreamWorld;
  before(async () => {
    world = await startStreamWorld();
  });
  after(() => world?.stop());

  it('brings every posted listen into bronze once', async () => {
    const early = await world.postListens(20);
    await world.startStreams();
    const late = await world.postListens(30);
    const found = await untilInTable(world.lake, listens, [...early, ...late], 150_000);
    assert.deepEqual([found.rows, found.doubled], [50, 0]);
  });

  it('answers the progress query with offsets, lag and batch durations of every topic', async () => {
    const progress = await until('the listens are reported', async () => {
      const said = await world.progress();
      return said?.topics.find(({ topic, rows }) => topic === 'user_listening_history' && rows >= 50) && said;
    });
    assert.equal(progress.stage, 'streaming');
    const stream = progress.topics.find(({ topic }) => topic === 'user_listening_history')!;
    assert.equal(
      Object.values(stream.offsets).reduce((sum, offset) => sum + offset, 0),
      50,
    );
    assert.deepEqual([stream.lag, stream.refused], [0, 0]);
    assert.ok(stream.batchMs > 0);
  });
});
