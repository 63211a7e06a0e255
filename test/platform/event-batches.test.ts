import assert from 'node:assert/strict';
import { EventBatcher } from '../../platform/kafka/event-batches.ts';
import { gate } from '../support/wait.ts';

describe('the batcher of events', () => {
  const events = (...values: number[]) => values.map((value) => ({ key: 'k', value }));

  function world(options: Partial<ConstructorParameters<typeof EventBatcher>[0]> = {}) {
    const batches: number[][] = [];
    const batcher = new EventBatcher({
      lingerMs: 5,
      mostEvents: 4,
      mostWaiting: 8,
      stalledMs: 60_000,
      send: async (_topic, batch) => void batches.push(batch.map((event) => event.value as number)),
      ...options,
    });
    return { batches, batcher };
  }

  it('puts what comes at about the same time into one batch, in order', async () => {
    const { batches, batcher } = world();
    await Promise.all([batcher.send('t', events(1)), batcher.send('t', events(2, 3)), batcher.send('u', events(9))]);
    assert.deepEqual(batches, [[1, 2, 3], [9]]);
  });

  it('keeps batches of a topic one after another, each within its size', async () => {
    const door = gate();
    const started: number[][] = [];
    const { batcher } = world({
      send: async (_topic, batch) => {
        started.push(batch.map((event) => event.value as number));
        await door.passed;
      },
    });
    const sends = [1, 2, 3].map((value) => batcher.send('t', events(value, value)));
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual(started, [[1, 1, 2, 2]]);
    door.open();
    await Promise.all(sends);
    assert.deepEqual(started, [
      [1, 1, 2, 2],
      [3, 3],
    ]);
  });

  it('tells everybody in a batch that it failed, and goes on with the next', async () => {
    let attempts = 0;
    const { batcher } = world({
      send: async () => {
        if (attempts++ === 0) throw new Error('refused');
      },
    });
    const first = [batcher.send('t', events(1)), batcher.send('t', events(2))];
    for (const send of first) await assert.rejects(send, /refused/);
    await batcher.send('t', events(3));
  });

  it('refuses more than may wait, and everything while a batch is stuck', async () => {
    const door = gate();
    const { batcher } = world({ send: () => door.passed, stalledMs: 40 });
    const stuck = batcher.send('t', events(1));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await assert.rejects(batcher.send('t', events(1, 2, 3, 4, 5, 6, 7, 8, 9)), /already wait/);
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.ok(batcher.isStalled);
    await assert.rejects(batcher.send('t', events(2)), /not answered/);
    door.open();
    await stuck;
    assert.ok(!batcher.isStalled);
    await batcher.send('t', events(3));
  });

  it('takes back what is not under way when its caller gives up', async () => {
    const door = gate();
    const sent: unknown[] = [];
    const { batcher } = world({
      send: async (_topic, batch) => {
        sent.push(...batch.map((event) => event.value));
        await door.passed;
      },
    });
    const first = batcher.send('t', events(1));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const giveUp = new AbortController();
    const second = batcher.send('t', events(2), giveUp.signal);
    giveUp.abort(new Error('too late'));
    await assert.rejects(second, /too late/);
    door.open();
    await first;
    assert.deepEqual(sent, [1]);
  });
});
