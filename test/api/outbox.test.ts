import assert from 'node:assert/strict';
import { appendFile, chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Outbox } from '../../api/events/outbox.ts';
import { Spool } from '../../api/events/spool.ts';
import { createLogger } from '../../platform/logger.ts';
import { until } from '../support/wait.ts';

describe('the outbox of recommendation events', () => {
  const logger = createLogger({ name: 'test', level: 'silent' });
  let folder: string;
  let made: Outbox[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'segue-outbox-'));
    made = [];
  });
  afterEach(async () => {
    await Promise.all(made.map((outbox) => outbox.close(0)));
    await rm(folder, { recursive: true, force: true });
  });

  /** An outbox over a Kafka that can be taken away: what it got is in `got`. */
  function world({ limit = 1_000, limitBytes = 10_000_000, spoolFolder = folder } = {}) {
    const counts = { sent: 0, dropped: 0 };
    const kafka = { isThere: true, got: [] as unknown[], batches: [] as number[] };
    const counters = {
      sent: (count: number) => void (counts.sent += count),
      dropped: (count: number) => void (counts.dropped += count),
    };
    const link = {
      deliver: async (_topic: string, events: readonly { readonly value: unknown }[]) => {
        if (!kafka.isThere) throw new Error('away');
        kafka.batches.push(events.length);
        kafka.got.push(...events.map((event) => event.value));
      },
    };
    const spool = new Spool({ folder: spoolFolder, limitBytes });
    const outbox = new Outbox({ link, topic: 't', limit, spool, counters, logger });
    made.push(outbox);
    return { counts, kafka, outbox, spool };
  }

  function numbers(from: number, to: number): number[] {
    return Array.from({ length: to - from }, (_, index) => from + index);
  }

  function addAll(outbox: Outbox, values: readonly number[]): void {
    for (const value of values) outbox.add({ key: '1', value });
  }

  it('sends what it is given in batches, without being waited for and without touching the disk', async () => {
    const { counts, kafka, outbox } = world();
    addAll(outbox, numbers(0, 700));
    await until('all are sent', () => counts.sent === 700);
    assert.deepEqual(kafka.batches, [500, 200]);
    assert.deepEqual(await readdir(folder), []);
  });

  it('keeps events on disk while Kafka is away, and sends them in order when it is back', async () => {
    const { counts, kafka, outbox, spool } = world({ limit: 2_000 });
    kafka.isThere = false;
    addAll(outbox, numbers(0, 1_300));
    await until('all are on disk', () => spool.events === 1_300 && outbox.waiting === 0);
    addAll(outbox, numbers(1_300, 1_400));
    kafka.isThere = true;
    await until('all are sent', () => counts.sent === 1_400);
    assert.deepEqual(kafka.got, numbers(0, 1_400));
    await until('the disk is empty', () => spool.isEmpty);
    assert.equal(counts.dropped, 0);
  });

  it('gives the next process what this one could not send', async () => {
    const first = world();
    first.kafka.isThere = false;
    addAll(first.outbox, numbers(0, 20));
    await first.outbox.close(50);
    assert.equal(first.counts.dropped, 0);
    const second = world();
    await until('all are sent', () => second.counts.sent === 20);
    assert.deepEqual(second.kafka.got, numbers(0, 20));
  });

  it('loses only a line that a killed process left unfinished, and counts it', async () => {
    await writeFile(join(folder, '000000000007.jsonl'), '{"key":"1","value":1}\n{"key":"1","va');
    const { counts, kafka } = world();
    await until('the line is sent', () => counts.sent === 1);
    assert.deepEqual(kafka.got, [1]);
    assert.equal(counts.dropped, 1);
  });

  it('holds what the disk has no room for in memory, and counts what it drops when that is full too', async () => {
    // A line of key and value takes 23 to 24 bytes: ten fit, and ten more in memory.
    const { counts, kafka, outbox, spool } = world({ limit: 10, limitBytes: 230 });
    kafka.isThere = false;
    addAll(outbox, numbers(0, 10));
    await until('the disk is full', () => spool.events === 10 && outbox.waiting === 0);
    addAll(outbox, numbers(10, 25));
    assert.deepEqual([outbox.waiting, counts.dropped], [10, 5]);
    kafka.isThere = true;
    await until('the rest is sent', () => counts.sent === 20);
    assert.deepEqual(kafka.got, numbers(0, 20));
  });

  it('goes on in memory when the folder cannot be written to', async () => {
    const file = join(folder, 'a-file');
    await writeFile(file, '');
    const { counts, kafka, outbox } = world({ limit: 10, spoolFolder: join(file, 'spool') });
    kafka.isThere = false;
    addAll(outbox, numbers(0, 25));
    await until('the disk has failed', () => outbox.waiting >= 10);
    kafka.isThere = true;
    await until('what memory held is sent', () => counts.sent + counts.dropped === 25);
    assert.equal(kafka.got.length, counts.sent);
    assert.ok(counts.sent >= 10);
  });

  it('sends what waits before it closes', async () => {
    const { counts, outbox } = world();
    outbox.add({ key: '1', value: 1 });
    await outbox.close(1_000);
    assert.deepEqual([counts.sent, counts.dropped], [1, 0]);
  });

  it('counts what neither Kafka nor the disk took before it closed', async () => {
    const { counts, kafka, outbox } = world({ limitBytes: 0 });
    kafka.isThere = false;
    outbox.add({ key: '1', value: 1 });
    await outbox.close(50);
    assert.deepEqual([counts.sent, counts.dropped], [0, 1]);
  });
});

describe('the spool', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'segue-spool-'));
  });
  afterEach(async () => {
    await chmod(folder, 0o700);
    await rm(folder, { recursive: true, force: true });
  });

  it('finds what an earlier one left, in order, and numbers on from there', async () => {
    const first = new Spool({ folder, limitBytes: 1_000_000 });
    await first.append(Array.from({ length: 600 }, (_, value) => ({ key: 'k', value })));
    await first.close();
    await appendFile(join(folder, 'notes.txt'), 'not a segment');
    const second = new Spool({ folder, limitBytes: 1_000_000 });
    await second.append([{ key: 'k', value: 600 }]);
    assert.equal(second.events, 601);
    const sizes: number[] = [];
    for (let oldest = await second.oldest(); oldest; oldest = await second.oldest()) {
      sizes.push(oldest.events.length);
      await second.remove(oldest.sequence);
    }
    assert.deepEqual(sizes, [500, 100, 1]);
    assert.deepEqual(await readdir(folder), ['notes.txt']);
  });
});
