import assert from 'node:assert/strict';
import { createCatchUp, type KafkaReader } from '../../api/events/catch-up.ts';
import type { StreamEvent } from '../../api/events/hub.ts';
import { Position } from '../../api/events/position.ts';
import type { IncomingRecord } from '../../platform/kafka/batches.ts';
import { createLogger } from '../../platform/logger.ts';
import { gate } from '../support/wait.ts';

const listens = 'user_listening_history';
const kafka = { brokers: [], clientId: 'test', logger: createLogger({ name: 'test', level: 'silent' }) };

interface Content {
  readonly low?: number;
  readonly key?: (offset: number) => string;
  readonly value?: string;
}

/** Two partitions of listens and one of the pipeline; counts who reads at once. */
function smallKafka({ low = 0, key = () => '1', value = '{}' }: Content = {}) {
  const readers = { now: 0, most: 0 };
  const reader: KafkaReader = {
    readBounds: async () =>
      [
        { topic: listens, partition: 0 },
        { topic: listens, partition: 1 },
        { topic: 'pipeline_events', partition: 0 },
      ].map((partition) => ({ ...partition, low, high: 1_000_000 })),
    offsetsAt: async () => [],
    readRanges: async (_kafka, ranges, handler) => {
      readers.most = Math.max(readers.most, ++readers.now);
      for (const { topic, partition, offset, end } of ranges) {
        const records = Array.from({ length: Math.max(0, end - offset) }, (_, index): IncomingRecord => {
          const at = offset + index;
          return { topic, partition, offset: at, key: key(at), value, timestampMs: 0 };
        });
        for (let at = 0; at < records.length; at += 500) {
          const some = records.slice(at, at + 500);
          const next = some.at(-1)!.offset + 1;
          await handler({ topic, partition, records: some, next, unreadable: [], isRestarted: false });
        }
      }
      readers.now--;
    },
  };
  return { reader, readers };
}

function positionAt(first: number, second: number, pipeline: number): Position {
  const position = new Position();
  position.set(listens, 0, first);
  position.set(listens, 1, second);
  position.set('pipeline_events', 0, pipeline);
  return position;
}

function idsOf(events: readonly StreamEvent[]): string[] {
  return events.map(({ topic, partition, offset }) => `${topic}-${partition}-${offset}`);
}

describe('what Kafka is read again for', () => {
  it('comes whole and once, in order by partition, in pieces that are not large', async () => {
    const pieces: (readonly StreamEvent[])[] = [];
    const { reader } = smallKafka();
    const catchUp = createCatchUp(kafka, undefined, reader);
    const lost = await catchUp.read(
      positionAt(10, 5, 3),
      positionAt(25_010, 6, 3),
      async (events) => void pieces.push(events),
    );
    const told = idsOf(pieces.flat());
    assert.equal(lost, 0);
    assert.deepEqual(
      told.filter((id) => id.startsWith(`${listens}-0`)),
      Array.from({ length: 25_000 }, (_, index) => `${listens}-0-${10 + index}`),
    );
    assert.deepEqual(
      told.filter((id) => !id.startsWith(`${listens}-0`)),
      [`${listens}-1-5`],
    );
    // 5,000 of each of the two partitions and then 10,000 of the one that is left: 5,001, 10,000, 10,000.
    assert.deepEqual(
      pieces.map(({ length }) => length),
      [5_001, 10_000, 10_000],
    );
  });

  it('comes in smaller pieces where the records are large', async () => {
    const { reader } = smallKafka({ value: 'x'.repeat(1024 * 1024) });
    const pieces: string[][] = [];
    const catchUp = createCatchUp(kafka, undefined, reader);
    await catchUp.read(positionAt(0, 0, 0), positionAt(6, 3, 0), async (events) => void pieces.push(idsOf(events)));
    // Of 1 MiB each, four are a piece.
    assert.deepEqual(
      pieces.map(({ length }) => length),
      [4, 4, 1],
    );
    assert.equal(new Set(pieces.flat()).size, 9);
  });

  it('says once how much Kafka no longer holds', async () => {
    const { reader } = smallKafka({ low: 8 });
    const told: string[] = [];
    const catchUp = createCatchUp(kafka, undefined, reader);
    const lost = await catchUp.read(
      positionAt(5, 2, 9),
      positionAt(20_000, 4, 10),
      async (events) => void told.push(...idsOf(events)),
    );
    // 5 to 7 of the first partition, 2 and 3 of the second; 8 to 19,999 of the first and one of the pipeline are left.
    assert.deepEqual([lost, told.length], [3 + 2, 19_992 + 1]);
  });

  it('is refused when it is too much', async () => {
    const catchUp = createCatchUp(kafka, undefined, smallKafka().reader);
    await assert.rejects(
      catchUp.read(positionAt(0, 0, 0), positionAt(100_001, 0, 0), async () => undefined),
      /100001 events were missed; at most 100000/,
    );
  });

  it('leaves out a forgotten user’s events, and no step of the pipeline', async () => {
    const { reader } = smallKafka({ key: (offset) => (offset === 1 ? '42' : '1') });
    const told: string[] = [];
    const catchUp = createCatchUp(kafka, (user) => user === '42', reader);
    await catchUp.read(positionAt(0, 0, 1), positionAt(3, 0, 2), async (events) => void told.push(...idsOf(events)));
    assert.deepEqual(told, [`${listens}-0-0`, `${listens}-0-2`, 'pipeline_events-0-1']);
  });

  it('keeps no reader while a client takes its time, and never has more than two', async () => {
    const { reader, readers } = smallKafka();
    const catchUp = createCatchUp(kafka, undefined, reader);
    const slow = gate();
    const slowOnes = [1, 2, 3].map(() => catchUp.read(positionAt(0, 0, 0), positionAt(10, 0, 0), () => slow.passed));
    const told: string[] = [];
    await catchUp.read(positionAt(0, 0, 0), positionAt(2, 0, 0), async (events) => void told.push(...idsOf(events)));
    assert.deepEqual([told.length, readers.now], [2, 0]);
    slow.open();
    await Promise.all(slowOnes);
    assert.equal(readers.most, 2);
  });
});
