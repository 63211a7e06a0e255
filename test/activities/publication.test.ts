import assert from 'node:assert/strict';
import { ApplicationFailure } from '@temporalio/common';
import { createPublicationActivities } from '../../activities/index.ts';
import type { ExportedSnapshot, Judgement } from '../../contracts/activities.ts';
import { lake } from '../../contracts/lake.ts';
import { snapshotPointer, type SnapshotPointer } from '../../contracts/schemas/snapshot.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { exportSnapshot } from '../support/snapshots.ts';

const { serving } = lake.buckets;

function startWorld() {
  const store = createMemoryStore();
  const activities = createPublicationActivities({
    store,
    codeVersion: 'code-1',
    now: () => new Date('2025-01-08T00:00:00Z'),
  });
  const pointer = async (): Promise<SnapshotPointer> => {
    const object = await store.get(serving, lake.prefixes.pointer);
    return snapshotPointer.parse(JSON.parse(object!.body.toString()));
  };
  const publish = async (modelVersion: string, inputs: string): Promise<ExportedSnapshot> => {
    const snapshot = await exportSnapshot(store, modelVersion);
    await activities.publishSnapshot({ snapshot, inputs, judgement: judged(modelVersion, true) });
    return snapshot;
  };
  return { store, activities, pointer, publish };
}

function judged(modelVersion: string, promoted: boolean): Judgement {
  return { modelVersion, promoted, why: promoted ? 'better' : 'not better than popularity', measures: { ndcg: 0.2 } };
}

describe('publishing models', () => {
  it('remembers what was served before, and when each was published', async () => {
    const world = startWorld();
    await world.publish('als-1', 'inputs-1');
    await world.publish('als-2', 'inputs-2');
    const pointer = await world.pointer();
    assert.deepEqual([pointer.modelVersion, pointer.previous?.modelVersion], ['als-2', 'als-1']);
    assert.deepEqual(
      pointer.history.map(({ modelVersion, by }) => [modelVersion, by]),
      [
        ['als-2', 'refresh'],
        ['als-1', 'refresh'],
      ],
    );
  });

  it('changes nothing when the same snapshot is published again', async () => {
    const world = startWorld();
    const snapshot = await world.publish('als-1', 'inputs-1');
    const before = await world.pointer();
    await world.activities.publishSnapshot({ snapshot, inputs: 'inputs-1', judgement: judged('als-1', true) });
    assert.deepEqual(await world.pointer(), before);
  });

  it('keeps what is served when a model is refused, and knows that these inputs led to it', async () => {
    const world = startWorld();
    await world.publish('als-1', 'inputs-1');
    const refusal = { judgement: judged('als-2', false), inputs: 'inputs-2' };
    await world.activities.recordRefusal(refusal);
    await world.activities.recordRefusal(refusal);
    const pointer = await world.pointer();
    const refused = { modelVersion: 'als-2', inputs: 'inputs-2', why: 'not better than popularity' };
    assert.deepEqual([pointer.modelVersion, pointer.inputs, pointer.refused], ['als-1', 'inputs-1', refused]);
    assert.deepEqual((await world.activities.describeRefresh()).refused, refused);
    await world.publish('als-3', 'inputs-3');
    assert.equal((await world.pointer()).refused, undefined);
  });

  it('sees something new in rows, not in a table that was just made and holds none', async () => {
    const { store, activities } = startWorld();
    const commit = (version: number, action: object): Promise<unknown> => {
      const log = `bronze/listening_events_stream/_delta_log/${String(version).padStart(20, '0')}.json`;
      return store.put(lake.buckets.data, log, `${JSON.stringify(action)}\n`);
    };
    const { inputs } = await activities.describeRefresh();
    await commit(0, { metaData: { id: 'made' } });
    assert.equal((await activities.describeRefresh()).inputs, inputs);
    await commit(1, { add: { path: 'listens.parquet' } });
    assert.notEqual((await activities.describeRefresh()).inputs, inputs);
  });

  it('goes back to a published model, and no refresh of the same inputs moves on from it', async () => {
    const world = startWorld();
    await world.publish('als-1', 'inputs-1');
    await world.publish('als-2', 'inputs-2');
    await world.publish('als-3', 'inputs-3');
    const result = await world.activities.rollBack({ modelVersion: 'als-1' });
    assert.deepEqual(result, { modelVersion: 'als-1', previous: 'als-3', outcome: 'published' });
    const pointer = await world.pointer();
    assert.deepEqual([pointer.modelVersion, pointer.inputs], ['als-1', 'inputs-3']);
    assert.deepEqual(pointer.history[0], {
      modelVersion: 'als-1',
      publishedAt: '2025-01-08T00:00:00.000Z',
      by: 'rollback',
    });
    assert.equal((await world.activities.rollBack({ modelVersion: 'als-1' })).outcome, 'unchanged');
    assert.equal((await world.activities.rollBack({ modelVersion: 'als-3' })).previous, 'als-1');
  });

  it('goes back to no model that was never published, and to none that was refused', async () => {
    const world = startWorld();
    await world.publish('als-1', 'inputs-1');
    await world.activities.recordRefusal({ judgement: judged('als-2', false), inputs: 'inputs-2' });
    for (const modelVersion of ['als-0', 'als-2']) {
      await assert.rejects(world.activities.rollBack({ modelVersion }), hasType('ModelUnknown'));
    }
    assert.equal((await world.pointer()).modelVersion, 'als-1');
  });

  it('goes back to no snapshot that is broken by now', async () => {
    const world = startWorld();
    await world.publish('als-1', 'inputs-1');
    await world.publish('als-2', 'inputs-2');
    await world.store.put(serving, 'snapshots/als-1/tracks.arrow', 'damaged');
    await assert.rejects(world.activities.rollBack({ modelVersion: 'als-1' }), hasType('SnapshotInvalid'));
    assert.equal((await world.pointer()).modelVersion, 'als-2');
  });

  it('stays where it was when the snapshot is removed while the pointer moves to it', async () => {
    const world = startWorld();
    await world.publish('als-1', 'inputs-1');
    await world.publish('als-2', 'inputs-2');
    const before = await world.pointer();
    const unraced = { ...world.store };
    world.store.put = async (bucket, key, ...rest) => {
      // Another run took it for one that is not served.
      if (key === lake.prefixes.pointer) await world.store.remove(serving, 'snapshots/als-1/manifest.json');
      return unraced.put(bucket, key, ...rest);
    };
    await assert.rejects(world.activities.rollBack({ modelVersion: 'als-1' }), hasType('SnapshotInvalid'));
    assert.deepEqual(await world.pointer(), before);
  });

  it('tells of a publication that came in between instead of overwriting it', async () => {
    const world = startWorld();
    await world.publish('als-1', 'inputs-1');
    const put = world.store.put.bind(world.store);
    world.store.put = async (bucket, key, body, condition) => {
      // Somebody else is quicker, once.
      if (key === lake.prefixes.pointer) {
        world.store.put = put;
        await world.publish('als-other', 'inputs-1');
      }
      return put(bucket, key, body, condition);
    };
    await assert.rejects(world.publish('als-2', 'inputs-2'), hasType('PublicationConflict'));
    assert.equal((await world.pointer()).modelVersion, 'als-other');
  });
});

function hasType(type: string): (error: unknown) => boolean {
  return (error) => error instanceof ApplicationFailure && error.type === type;
}
