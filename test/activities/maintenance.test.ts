import assert from 'node:assert/strict';
import { createMaintenanceActivities } from '../../activities/maintenance.ts';
import { lake } from '../../contracts/lake.ts';
import type { MaintenanceActivities } from '../../contracts/maintenance.ts';
import { forgottenKey, hashOfUser, receiptKey } from '../../platform/forgotten-users.ts';
import { createMemoryStore } from '../support/memory-store.ts';

const ranAt = '2025-03-01T00:00:00.000Z';
const retentionHours = 168;
const { snapshotsAtLeast } = lake.maintenance;

interface World {
  readonly store: ReturnType<typeof createMemoryStore>;
  readonly activities: MaintenanceActivities;
}

function newWorld(): World {
  const store = createMemoryStore();
  const process = {
    jobsDir: '',
    target: { kind: 'submit', command: '', arguments: [] },
    env: {},
    withoutEnv: /^$/,
  } as const;
  return { store, activities: createMaintenanceActivities({ store, process }) };
}

describe('pruning of serving snapshots', () => {
  it('keeps the newest ten and removes older ones whole', async () => {
    const world = newWorld();
    const names = await putSnapshots(world, snapshotsAtLeast + 2, '2025-01');
    const { kept, removed } = await world.activities.pruneSnapshots({ ranAt, retentionHours });
    assert.deepEqual(removed.toSorted(), names.slice(0, 2));
    assert.equal(kept.length, snapshotsAtLeast);
    assert.deepEqual(await world.store.list('serving', `snapshots/${names[0]}/`), []);
    // A second run finds nothing left to do.
    assert.deepEqual((await world.activities.pruneSnapshots({ ranAt, retentionHours })).removed, []);
  });

  it('keeps what is served and the one before it, however old they are', async () => {
    const world = newWorld();
    const names = await putSnapshots(world, snapshotsAtLeast + 3, '2025-01');
    await putPointer(world, names[1]!, names[0]!);
    const { removed } = await world.activities.pruneSnapshots({ ranAt, retentionHours });
    assert.deepEqual(removed, [names[2]]);
  });

  it('keeps the last ten that were published, however old an operator went back to', async () => {
    const world = newWorld();
    const names = await putSnapshots(world, snapshotsAtLeast + 3, '2025-01');
    // Served again by a rollback, then replaced twice.
    await putPointer(world, names[12]!, names[11]!, [names[12]!, names[11]!, names[0]!, names[10]!]);
    const { removed } = await world.activities.pruneSnapshots({ ranAt, retentionHours });
    assert.deepEqual(removed.toSorted(), [names[1], names[2]]);
  });

  it('keeps what is younger than the retention', async () => {
    const world = newWorld();
    // The 22nd of February is the seventh day before the 1st of March.
    await putSnapshots(world, snapshotsAtLeast + 4, '2025-02', 22);
    assert.deepEqual((await world.activities.pruneSnapshots({ ranAt, retentionHours })).removed, []);
  });

  it('keeps none but the served one that was made before the last user was forgotten: it may hold their list', async () => {
    const world = newWorld();
    const names = await putSnapshots(world, 3, '2025-01');
    await putPointer(world, names[1]!, names[0]!, names);
    await world.store.put('data', forgottenKey(hashOfUser('somebody')), '{}');
    // A receipt is no mark.
    await world.store.put('data', receiptKey(hashOfUser('somebody'), 'run'), '{}');
    const { kept } = await world.activities.pruneSnapshots({ ranAt, retentionHours });
    assert.deepEqual(kept, [names[1]]);
  });

  it('removes half a snapshot by the time in its name, and leaves one that may be on its way', async () => {
    const world = newWorld();
    await world.store.put('serving', 'snapshots/als-20250101T000000-aaaa/tracks.arrow', 'x');
    await world.store.put('serving', 'snapshots/als-20250228T235900-bbbb/tracks.arrow', 'x');
    await world.store.put('serving', 'snapshots/by-hand/tracks.arrow', 'x');
    const { kept, removed } = await world.activities.pruneSnapshots({ ranAt, retentionHours });
    assert.deepEqual(removed, ['als-20250101T000000-aaaa']);
    assert.deepEqual(kept, ['als-20250228T235900-bbbb', 'by-hand']);
  });
});

describe('the plan of maintenance', () => {
  it('groups the tables that are there by the lock that guards them, and names those that are not', async () => {
    const world = newWorld();
    const there = [
      'bronze/dim_songs',
      'quarantine/dim_users',
      'bronze/fact_listening_events',
      'gold/user_recommendations',
    ];
    for (const table of there) await world.store.put('data', `${table}/_delta_log/${'0'.repeat(20)}.json`, '{}');
    const { groups, missing } = await world.activities.planMaintenance({});
    assert.deepEqual(
      groups.toSorted((one, other) => one.lock.localeCompare(other.lock)),
      [
        { lock: 'bronze/dimensions', tables: ['bronze/dim_songs', 'quarantine/dim_users'] },
        { lock: 'bronze/fact_listening_events', tables: ['bronze/fact_listening_events'] },
        { lock: 'recommendations', tables: ['gold/user_recommendations'] },
      ],
    );
    assert.ok(missing.includes('bronze/dim_users'));
    assert.equal(missing.length + there.length, lake.tables.length + lake.datasets.length);
  });

  it('refuses a retention under what is promised, and a table that is none', async () => {
    const { activities } = newWorld();
    await assert.rejects(activities.planMaintenance({ retentionHours: 167 }), /167 h .* promises for 168 h/);
    await assert.rejects(activities.planMaintenance({ tables: ['bronze/nothing'] }), /no such table.*bronze\/nothing/);
  });
});

/** Snapshots of one day each, oldest first; answers their names. */
async function putSnapshots({ store }: World, count: number, month: string, firstDay = 1): Promise<readonly string[]> {
  const names: string[] = [];
  for (let index = 0; index < count; index++) {
    const day = String(Math.min(firstDay + index, 28)).padStart(2, '0');
    const name = `als-${String(index).padStart(2, '0')}`;
    const manifest = {
      formatVersion: 1,
      modelVersion: name,
      generatedAt: `${month}-${day}T12:00:00.000Z`,
      lineage: [],
      counts: { users: 1, recommendations: 1, tracks: 1 },
      files: [],
    };
    await store.put('serving', `snapshots/${name}/manifest.json`, JSON.stringify(manifest));
    await store.put('serving', `snapshots/${name}/tracks.arrow`, 'x');
    names.push(name);
  }
  return names;
}

async function putPointer(
  { store }: World,
  served: string,
  before: string,
  published: readonly string[] = [],
): Promise<void> {
  const of = (modelVersion: string): object => ({
    modelVersion,
    manifestKey: `snapshots/${modelVersion}/manifest.json`,
    manifestSha256: 's',
  });
  const history = published.map((modelVersion) => ({ modelVersion, publishedAt: ranAt, by: 'refresh' }));
  const pointer = { formatVersion: 1, ...of(served), publishedAt: ranAt, previous: of(before), inputs: 'i', history };
  await store.put('serving', 'current.json', JSON.stringify(pointer));
}
