import assert from 'node:assert/strict';
import { newClusterId } from '../../stack/services/kafka.ts';

describe("Kafka's cluster id", () => {
  it('never starts with a dash, which the storage tool would take for an option', () => {
    const dashFirst = Buffer.alloc(16, 0xff).fill(0xf8, 0, 1);
    assert.equal(dashFirst.toString('base64url')[0], '-');
    const drawn = [dashFirst, dashFirst, Buffer.alloc(16, 1)];
    assert.equal(
      newClusterId(() => drawn.shift()!),
      'AQEBAQEBAQEBAQEBAQEBAQ',
    );
    assert.equal(drawn.length, 0);
  });
});
