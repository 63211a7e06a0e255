import assert from 'node:assert/strict';
import { latestFilledVersion, latestVersion, newestCommits, readCommit } from '../../activities/delta-log.ts';
import { createMemoryStore } from '../support/memory-store.ts';

const table = 'gold/track_features';
const log = `${table}/_delta_log/`;
const nameOf = (version: number): string => `${String(version).padStart(20, '0')}.json`;

describe("a table's log", () => {
  let store: ReturnType<typeof createMemoryStore>;
  beforeEach(() => {
    store = createMemoryStore();
  });

  async function commit(version: number, ...actions: readonly unknown[]): Promise<void> {
    const lines = actions.map((action) => `${JSON.stringify(action)}\n`);
    await store.put('data', `${log}${nameOf(version)}`, lines.join(''));
  }

  async function checkpoint(body: string): Promise<void> {
    await store.put('data', `${log}_last_checkpoint`, body);
  }

  it('ends its lines at \\n alone, whatever texts are in its statistics', async () => {
    for (const character of ['\u{B}', '\u{C}', '\u{1C}', '\u{85}', '\u{2028}', '\u{2029}', '\r', '\n', '\r\n']) {
      const stats = JSON.stringify({ numRecords: 1, minValues: { track_id: `${character}id` } });
      await commit(7, { txn: { appId: `key${character}` } }, { add: { path: 'a', stats } });
      assert.deepEqual(await readCommit(store, { version: 7, key: `${log}${nameOf(7)}` }), [
        { txn: { appId: `key${character}` } },
        { add: { path: 'a', stats } },
      ]);
    }
  });

  it('is listed from a little before its last checkpoint on', async () => {
    for (let version = 0; version <= 60; version++) await commit(version, { add: { path: 'a' } });
    await checkpoint('{"version":50,"size":1}');
    const listed: string[] = [];
    const list = store.list.bind(store);
    store.list = async (...given) => {
      const keys = await list(...given);
      listed.push(...keys);
      return keys;
    };
    assert.equal(await latestVersion(store, table), 60);
    // 50 to 60, and the pointer.
    assert.equal(listed.length, 12);
    assert.deepEqual(
      (await newestCommits(store, table, 20)).map(({ version }) => version),
      Array.from({ length: 31 }, (_, index) => 30 + index),
    );
  });

  it('tells its newest version with and without a checkpoint, and when the commit of that is gone', async () => {
    assert.equal(await latestVersion(store, table), undefined);
    await commit(0, { metaData: {} });
    assert.deepEqual([await latestVersion(store, table), await latestFilledVersion(store, table)], [0, undefined]);
    await commit(1, { add: { path: 'a' } });
    assert.deepEqual([await latestVersion(store, table), await latestFilledVersion(store, table)], [1, 1]);
    await checkpoint('{');
    assert.equal(await latestVersion(store, table), 1);
    store.objects.clear();
    await checkpoint('{"version":30,"size":1}');
    assert.equal(await latestVersion(store, table), 30);
  });
});
