import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { EventRowCounter, type RefusedCount } from '../../activities/event-rows.ts';

/** The same rows as spark-submit/tests/test_event_rows.py puts through Spark. */
const cases = JSON.parse(
  readFileSync(new URL('../support/event_rows.json', import.meta.url), 'utf8'),
) as readonly (readonly [line: string, reason: string | null])[];

function count(text: string, chunkBytes = 64 * 1024): RefusedCount {
  const counter = new EventRowCounter();
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length; start += chunkBytes) counter.add(bytes.subarray(start, start + chunkBytes));
  return counter.end();
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
});
