import assert from 'node:assert/strict';
import { recommend } from '../../api/recommend.ts';
import type { Snapshot } from '../../api/snapshot/snapshot.ts';
import { loadSnapshot } from '../../api/snapshot/load.ts';
import { lake } from '../../contracts/lake.ts';
import { snapshotPointer } from '../../contracts/schemas/snapshot.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { publishSnapshot } from '../support/snapshots.ts';

describe('recommend', () => {
  let snapshot: Snapshot;
  before(async () => {
    const store = createMemoryStore();
    await publishSnapshot(store, 'als-1');
    const pointer = await store.get(lake.buckets.serving, lake.prefixes.pointer);
    snapshot = await loadSnapshot(store, snapshotPointer.parse(JSON.parse(pointer!.body.toString())));
  });

  it('leaves excluded tracks out and closes up the places', () => {
    const { tier, items } = recommend(snapshot, { userId: '1', limit: 20, isExcluded: (id) => id === 't1' });
    assert.deepEqual([tier, items.map(({ track_id, rank }) => [track_id, rank])], ['personal', [['t2', 1]]]);
  });

  it('fills an answer up from below when tracks are excluded', () => {
    const { items } = recommend(snapshot, { userId: '1', limit: 1, isExcluded: (id) => id === 't1' });
    assert.deepEqual(
      items.map((item) => item.track_id),
      ['t2'],
    );
  });

  it('leaves excluded tracks out of the chart, too', () => {
    const { tier, items } = recommend(snapshot, { userId: 'nobody', limit: 20, isExcluded: (id) => id === 't1' });
    assert.deepEqual([tier, items.map(({ track_id, rank }) => [track_id, rank])], ['trending', [['t2', 1]]]);
  });

  it('says of a short list that little is known of the user', () => {
    const { tier, items } = recommend(snapshot, { userId: '2', limit: 20 });
    assert.deepEqual([tier, items.map((item) => item.track_id)], ['cold_start', ['t3']]);
  });

  it('gives a user without a listen the chart, their own genres first', () => {
    const { tier, items } = recommend(snapshot, { userId: '3', limit: 20 });
    assert.equal(tier, 'cold_start');
    assert.deepEqual(
      items.map(({ track_id, rank, reason }) => [track_id, rank, reason.text]),
      [
        ['t2', 1, 'Trending in rock, one of your genres'],
        ['t1', 2, 'Trending: 5 people listened to it in the week to 2024-12-31'],
      ],
    );
  });

  it('answers a known user who has excluded everything with an empty list, not with the chart', () => {
    const { tier, items } = recommend(snapshot, { userId: '1', limit: 20, isExcluded: () => true });
    assert.deepEqual([tier, items], ['personal', []]);
  });
});
