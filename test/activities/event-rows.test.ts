import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { EventRowCounter, type RefusedCount } from '../../activities/event-rows.ts';
import { rules } from '../../contracts/acceptance/rules.ts';
import { timeRange } from '../../contracts/acceptance/time.ts';

/** The same rows as spark-submit/tests/test_event_rows.py puts through Spark. */
const cases = JSON.parse(
  readFileSync(new URL('../support/event_rows.json', import.meta.url), 'utf8'),
) as readonly (readonly [line: string, reason: string | null])[];

/** The time of the run in spark-submit/tests/worlds.py. */
const range = timeRange(rules.time.earliest, new Date('2025-02-01T00:00:00Z'));

function counterOf(bytes: Buffer, chunkBytes: number): EventRowCounter {
  const counter = new EventRowCounter(range);
  for (let start = 0; start < bytes.length; start += chunkBytes) counter.add(bytes.subarray(start, start + chunkBytes));
  return counter;
}

function count(text: string, chunkBytes = 64 * 1024): RefusedCount {
  return counterOf(Buffer.from(text), chunkBytes).end();
}

describe('the rules of event rows, before anything is loaded', () => {
  for (const [line, reason] of cases) {
    it(`${line}: ${reason ?? 'good'}`, () => {
      assert.deepEqual(count(`header\n${line}\n`).reasons, reason === null ? {} : { [reason]: 1 });
    });
  }

  it('count the same however the bytes come', () => {
    const text = `header\r\n${cases.map(([line]) => line).join('\r\n')}\r\n\r\ne,ü,t,like,2025-01-03T10:00:00Z`;
    const bad = cases.filter(([, reason]) => reason !== null).length;
    for (const chunkBytes of [1, 7, 64 * 1024]) assert.equal(count(text, chunkBytes).rows, bad);
  });

  it('count neither blank lines nor the header', () => {
    assert.equal(count('\n  \nheader\n\n \ne,u,t,like,2025-01-03T10:00:00Z\n\n').rows, 0);
  });

  it('count neither blank lines nor the header behind a byte order mark', () => {
    assert.equal(count('\ufeff\r\nheader\r\n \r\ne,u,t,like,2025-01-03T10:00:00Z').rows, 0);
  });

  it('number lines that end in two characters by twos, wherever a read ends', () => {
    const line = `e,u,t,like,2025-01-03T10:00:00Z\r\n`;
    const text = Buffer.from(`header\r\n${line.repeat(3)}`);
    const tooLong = Buffer.alloc(32 * 1024 * 1024 + 1, 'x');
    for (const chunkBytes of [1, 3, 64 * 1024]) {
      const counter = counterOf(text, chunkBytes);
      counter.add(tooLong);
      assert.equal(counter.end().unreadable?.line, 5);
    }
  });

  it('move with the earliest time that is set', () => {
    const counter = new EventRowCounter(timeRange('2025-01-03T10:00:00Z', new Date('2025-02-01T00:00:00Z')));
    const rows = ['2025-01-03T09:59:59Z', '2025-01-03T10:00:00Z', '2025-01-02T10:00:00Z', '2025-01-04T10:00:00Z'];
    counter.add(Buffer.from(`header\n${rows.map((time) => `e,u,t,like,${time}\n`).join('')}`));
    assert.deepEqual(counter.end().reasons, { too_early_timestamp: 2 });
  });
});
