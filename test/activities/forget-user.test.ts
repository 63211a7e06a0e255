import assert from 'node:assert/strict';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createForgettingActivities } from '../../activities/forget-user.ts';
import type { ForgettingActivities } from '../../contracts/forgetting.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { exportSnapshot, publishSnapshot, smallTables } from '../support/snapshots.ts';

type Store = ReturnType<typeof createMemoryStore>;

function activitiesOver(store: Store): ForgettingActivities {
  return createForgettingActivities({
    process: { jobsDir: '', target: { kind: 'connect', remote: '', python: '' }, env: {}, withoutEnv: /^$/ },
    store,
    producer: () => Promise.reject(new Error('not needed')),
    feedbackKeys: () => Promise.reject(new Error('not needed')),
  });
}

function isUserServed(store: Store, userId: string): Promise<boolean> {
  const activities = activitiesOver(store);
  return new MockActivityEnvironment().run(() => activities.isUserServed({ userId }));
}

function removeOldSnapshots(store: Store): Promise<{ readonly removed: number }> {
  const activities = activitiesOver(store);
  return new MockActivityEnvironment().run(() => activities.removeOldSnapshots());
}

const snapshotKeys = async (store: Store): Promise<readonly string[]> => store.list('serving', 'snapshots/');

describe('the user in the served snapshot', () => {
  it('is found in any file that names users, and nowhere else', async () => {
    const store = createMemoryStore();
    assert.equal(await isUserServed(store, '1'), false, 'nothing is served');
    const tables = smallTables('als-1');
    await publishSnapshot(store, 'als-1', { ...tables, users: tables.users.filter(({ user_id: id }) => id === '3') });
    // 1 has a list, 2 plays, 3 a row of its own; t1 is no user.
    for (const user of ['1', '2', '3']) assert.equal(await isUserServed(store, user), true, user);
    for (const nobody of ['', '4', 't1', 'past-1']) assert.equal(await isUserServed(store, nobody), false, nobody);
  });

  it('is not looked for in snapshots that are not served', async () => {
    const store = createMemoryStore();
    const tables = smallTables('als-2');
    const without = (rows: (typeof tables)['users']): typeof rows => rows.filter(({ user_id: id }) => id !== '1');
    await publishSnapshot(store, 'als-1');
    await publishSnapshot(store, 'als-2', {
      ...tables,
      users: without(tables.users),
      history: without(tables.history),
      recommendations: without(tables.recommendations),
    });
    assert.equal(await isUserServed(store, '1'), false);
  });
});

describe('removing the snapshots that hold a forgotten user', () => {
  it('leaves the served one, and takes halves away, too', async () => {
    const store = createMemoryStore();
    await exportSnapshot(store, 'als-1');
    await publishSnapshot(store, 'als-2');
    await store.put('serving', 'snapshots/als-0/users.arrow', 'half');
    await store.put('serving', 'snapshots/als-broken/manifest.json', '{"torn');
    assert.deepEqual(await removeOldSnapshots(store), { removed: 3 });
    assert.ok((await snapshotKeys(store)).every((key) => key.startsWith('snapshots/als-2/')));
  });

  it('leaves no snapshot that could be taken for whole when it is cut off, and ends it when it is run again', async () => {
    const store = createMemoryStore();
    await exportSnapshot(store, 'als-1');
    await publishSnapshot(store, 'als-2');
    let left = 1;
    const dying: Store = {
      ...store,
      remove: async (bucket, key) => {
        if (left-- === 0) throw new Error('the worker died');
        await store.remove(bucket, key);
      },
    };
    await assert.rejects(removeOldSnapshots(dying), /died/);
    assert.equal(await store.get('serving', 'snapshots/als-1/manifest.json'), undefined);
    assert.ok((await snapshotKeys(store)).some((key) => key.startsWith('snapshots/als-1/')));
    assert.deepEqual(await removeOldSnapshots(store), { removed: 1 });
    assert.ok((await snapshotKeys(store)).every((key) => key.startsWith('snapshots/als-2/')));
  });

  it('gives a snapshot back that somebody went back to meanwhile', async () => {
    const store = createMemoryStore();
    await publishSnapshot(store, 'als-1');
    const older = (await store.get('serving', 'current.json'))!.body;
    await publishSnapshot(store, 'als-2');
    const before = (await snapshotKeys(store)).toSorted();
    const racing: Store = {
      ...store,
      remove: async (bucket, key) => {
        await store.remove(bucket, key);
        // The rollback had checked the snapshot already.
        if (key.endsWith('als-1/manifest.json')) await store.put('serving', 'current.json', older);
      },
    };
    assert.deepEqual(await removeOldSnapshots(racing), { removed: 1 });
    assert.deepEqual(
      (await snapshotKeys(store)).toSorted(),
      before.filter((key) => key.startsWith('snapshots/als-1/')),
    );
  });
});
