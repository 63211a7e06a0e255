import assert from 'node:assert/strict';
import { findCommitted } from '../../activities/committed-files.ts';
import type { PlannedFile } from '../../contracts/activities.ts';
import { bronzeFileKey } from '../../contracts/ids.ts';
import { createMemoryStore } from '../support/memory-store.ts';

const file: PlannedFile = {
  ...{ file: 'trends_2025-01-07.csv', table: 'fact_listening_events', sizeBytes: 1, sha256: 'a'.repeat(64), rows: 10 },
  ...{ action: 'load', generation: 0 },
};
const key = bronzeFileKey(file);

describe('what the logs show to be committed of a file', () => {
  let store: ReturnType<typeof createMemoryStore>;
  beforeEach(() => {
    store = createMemoryStore();
  });

  interface Written {
    readonly appId?: string;
    readonly rows?: number;
    readonly from?: readonly [least: string, most: string];
  }

  async function commit(table: string, version: number, { appId, rows, from }: Written): Promise<void> {
    const column = table.startsWith('bronze') ? '_source_file' : 'source_file';
    const [least = file.file, most = file.file] = from ?? [];
    const stats = { numRecords: rows, minValues: { [column]: least }, maxValues: { [column]: most } };
    const actions = [
      { commitInfo: { operation: 'WRITE' } },
      ...(appId === undefined ? [] : [{ txn: { appId, version: 1 } }]),
      ...(rows === undefined ? [] : [{ add: { path: 'x', stats: JSON.stringify(stats) } }]),
    ];
    const name = `${table}/_delta_log/${String(version).padStart(20, '0')}.json`;
    await store.put('data', name, `${actions.map((action) => JSON.stringify(action)).join('\n')}\n`);
  }

  const bronze = 'bronze/fact_listening_events';
  const quarantine = 'quarantine/fact_listening_events';

  it('is nothing where there is no table, or no commit of this content', async () => {
    assert.equal(await findCommitted(store, file), undefined);
    await commit(bronze, 3, { appId: `${key}0`, rows: 10 });
    assert.equal(await findCommitted(store, file), undefined);
  });

  it('is a file whose rows are all good, as soon as bronze has the commit', async () => {
    await commit(bronze, 3, { appId: key, rows: 10 });
    await commit(bronze, 4, { appId: 'another', rows: 5 });
    assert.deepEqual(await findCommitted(store, file), {
      ...{ file: file.file, bronze: 10, quarantined: 0, tableVersion: 3 },
    });
  });

  it('is not a file whose bad rows are not in quarantine yet', async () => {
    await commit(bronze, 3, { appId: key, rows: 8 });
    assert.equal(await findCommitted(store, file), undefined);
    await commit(quarantine, 0, { appId: `${key}/quarantine`, rows: 2 });
    assert.deepEqual(await findCommitted(store, file), {
      ...{ file: file.file, bronze: 8, quarantined: 2, tableVersion: 3 },
    });
  });

  it('asks for a commit in quarantine after a correction, which has to clear the earlier rows', async () => {
    const corrected = { ...file, generation: 1 };
    await commit(bronze, 3, { appId: bronzeFileKey(corrected), rows: 10 });
    assert.equal(await findCommitted(store, corrected), undefined);
  });

  it('is not decided where rows of several files were rewritten into one', async () => {
    await commit(bronze, 3, { appId: key, rows: 10, from: ['fact_listening_events.csv', file.file] });
    assert.equal(await findCommitted(store, file), undefined);
  });

  it('is not decided where rows do not add up', async () => {
    await commit(bronze, 3, { appId: key, rows: 9 });
    await commit(quarantine, 0, { appId: `${key}/quarantine`, rows: 2 });
    assert.equal(await findCommitted(store, file), undefined);
  });
});
