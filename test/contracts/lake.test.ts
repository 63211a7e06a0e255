import assert from 'node:assert/strict';
import { datasetOfFile, lake } from '../../contracts/lake.ts';

describe('the lake contract', () => {
  it('gives every dataset a bronze table that has its columns, in order, before its own', () => {
    for (const dataset of lake.datasets) {
      const table = lake.tables.find(({ layer, name }) => layer === 'bronze' && name === dataset.table);
      assert.ok(table, `no bronze table ${dataset.table}`);
      const columns = table.columns.map((column) => column.name);
      assert.deepEqual(columns.slice(0, dataset.columns.length), dataset.columns);
    }
  });

  it('names keys, partitions and statistics by columns that the table has', () => {
    for (const table of lake.tables) {
      const columns = new Set(table.columns.map((column) => column.name));
      for (const name of [...table.key, ...table.partitionBy, ...table.statsColumns]) {
        assert.ok(columns.has(name), `${table.layer}/${table.name} has no column ${name}`);
      }
    }
  });

  it('keeps the log of a table for as long as its versions can be read, which is longer than any job reads one', () => {
    const { timeTravelHours, longestReaderHours, logRetentionHours } = lake.maintenance;
    assert.ok(logRetentionHours >= timeTravelHours);
    assert.ok(timeTravelHours >= longestReaderHours);
  });

  it('takes any fact_listening_events*.csv for events, and no other name', () => {
    assert.equal(datasetOfFile('fact_listening_events_2024.csv')?.table, 'fact_listening_events');
    assert.equal(datasetOfFile('fact_listening_events.csv')?.table, 'fact_listening_events');
    assert.equal(datasetOfFile('my_fact_listening_events.csv'), undefined);
    assert.equal(datasetOfFile('dim_songs.csv.bak'), undefined);
  });
});
