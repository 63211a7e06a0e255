import assert from 'node:assert/strict';
import { pino } from 'pino';
import { SnapshotStore } from '../../api/snapshot/store.ts';
import { ask, startApi, type ApiWorld } from '../support/api-world.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { publishSnapshot, smallTables } from '../support/snapshots.ts';

describe('the snapshot that is served', () => {
  let api: ApiWorld;
  beforeEach(async () => {
    api = await startApi();
    await publishSnapshot(api.store, 'als-1');
    await api.snapshots.check();
  });
  afterEach(() => api.stop());

  async function servedVersion(): Promise<unknown> {
    return (await ask(api, '/recommendations/1')).body['model_version'];
  }

  it('is swapped for a new one without a failed request', async () => {
    let isSwapped = false;
    const versions = new Set<unknown>();
    const reader = (async () => {
      for (let after = 0; after < 20; after += isSwapped ? 1 : 0) {
        const { status, body } = await ask(api, '/recommendations/1');
        assert.equal(status, 200);
        versions.add(body['model_version']);
      }
    })();
    await publishSnapshot(api.store, 'als-2');
    await api.snapshots.check();
    isSwapped = true;
    await reader;
    assert.equal(await servedVersion(), 'als-2');
    assert.ok([...versions].every((version) => version === 'als-1' || version === 'als-2'));
  });

  it('stays when the new one has a file that is not what the manifest says', async () => {
    const manifest = await publishSnapshot(api.store, 'als-2');
    await api.store.put('serving', manifest.files[0]!.key, 'half a file');
    await api.snapshots.check();
    assert.equal(await servedVersion(), 'als-1');
    assert.match(await api.metrics.registry.metrics(), /segue_snapshots_refused_total 1/);
  });

  it('stays when the new one lacks a file', async () => {
    const manifest = await publishSnapshot(api.store, 'als-2');
    await api.store.remove('serving', manifest.files[2]!.key);
    await api.snapshots.check();
    assert.equal(await servedVersion(), 'als-1');
  });

  it('stays when the new one lacks a column', async () => {
    const tables = smallTables('als-2');
    const tracks = tables.tracks.map(({ title: _title, ...rest }) => rest);
    await publishSnapshot(api.store, 'als-2', { ...tables, tracks });
    await api.snapshots.check();
    assert.equal(await servedVersion(), 'als-1');
  });

  it('is taken once it is whole, after it was refused', async () => {
    const manifest = await publishSnapshot(api.store, 'als-2');
    const { key } = manifest.files[0]!;
    const whole = (await api.store.get('serving', key))!.body;
    await api.store.put('serving', key, 'half a file');
    await api.snapshots.check();
    await api.store.put('serving', key, whole);
    await api.snapshots.check();
    assert.equal(await servedVersion(), 'als-2');
  });

  it('serves a track that no catalogue file has by its id', async () => {
    const tables = smallTables('als-2');
    await publishSnapshot(api.store, 'als-2', { ...tables, tracks: tables.tracks.slice(1) });
    await api.snapshots.check();
    const [item] = (await ask(api, '/recommendations/1')).body['items'] as { track_id: string; title: string }[];
    assert.deepEqual([item!.track_id, item!.title], ['t1', 't1']);
  });

  it('stays while the store is away, which is told once and refuses nothing', async () => {
    const away = startWithStoreAway();
    await away.publish('als-1');
    away.takeAway('current.json');
    for (let look = 0; look < 3; look++) await away.snapshots.check();
    assert.deepEqual(away.told, ['info: snapshot is served', `warn: ${goes}`]);
    away.bringBack();
    await away.snapshots.check();
    assert.deepEqual(away.told.slice(2), ['info: the store of snapshots answers again']);
    assert.deepEqual([away.snapshots.current?.manifest.modelVersion, away.refused()], ['als-1', 0]);
  });

  it('is not refused either when the store goes away in the middle of reading it', async () => {
    const away = startWithStoreAway();
    away.takeAway('tracks.arrow');
    for (const version of ['als-1', 'als-2']) await away.publish(version);
    assert.deepEqual(away.told, [`warn: ${goes}`]);
    away.bringBack();
    await away.snapshots.check();
    assert.deepEqual([away.snapshots.current?.manifest.modelVersion, away.refused()], ['als-2', 0]);
  });
});

const goes = 'the store of snapshots cannot be reached; what is served stays';

/** A snapshot store whose objects can be taken away, and what it tells. */
function startWithStoreAway() {
  const told: string[] = [];
  const store = createMemoryStore();
  let missing: string | undefined;
  let refused = 0;
  const snapshots = new SnapshotStore({
    store: {
      get: async (bucket, key) => {
        if (missing !== undefined && key.endsWith(missing)) throw new Error('connect ECONNREFUSED');
        return store.get(bucket, key);
      },
    },
    logger: pino(
      { formatters: { level: (level) => ({ level }) } },
      {
        write: (line) => {
          const { level, msg } = JSON.parse(line) as { level: string; msg: string };
          told.push(`${level}: ${msg}`);
        },
      },
    ),
    pollMs: 60_000,
    onRefused: () => refused++,
  });
  const publish = async (version: string): Promise<void> => {
    await publishSnapshot(store, version);
    await snapshots.check();
  };
  return {
    snapshots,
    told,
    publish,
    refused: () => refused,
    takeAway: (name: string) => void (missing = name),
    bringBack: () => void (missing = undefined),
  };
}
