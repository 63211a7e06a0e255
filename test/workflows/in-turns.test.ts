import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { inTurns } from '../../workflows/in-turns.ts';

describe('items in turns', () => {
  it('answers in the order of the items, so many at once', async () => {
    let working = 0;
    let mostAtOnce = 0;
    const answers = await inTurns([30, 10, 20, 0], 2, async (ms) => {
      mostAtOnce = Math.max(mostAtOnce, ++working);
      await sleep(ms);
      working--;
      return ms * 2;
    });
    assert.deepEqual([answers, mostAtOnce], [[60, 20, 40, 0], 2]);
  });

  it('answers nothing for no items', async () => {
    assert.deepEqual(await inTurns([], 4, () => Promise.reject(new Error('not called'))), []);
  });

  it('starts no new item after a failure, waits for those under way, and throws the first failure', async () => {
    const seen: string[] = [];
    const running = inTurns(['fails', 'slow', 'fails later', 'waits'], 3, async (item) => {
      seen.push(`${item} starts`);
      await sleep(item === 'fails' ? 0 : 30);
      seen.push(`${item} ends`);
      if (item.startsWith('fails')) throw new Error(item);
    });
    await assert.rejects(running, { message: 'fails' });
    assert.deepEqual(seen, [
      ...['fails starts', 'slow starts', 'fails later starts'],
      ...['fails ends', 'slow ends', 'fails later ends'],
    ]);
  });
});
