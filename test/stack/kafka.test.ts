import assert from 'node:assert/strict';
import { topics } from '../../contracts/topics.ts';
import { readStackSettings } from '../../stack/config.ts';
import { kafkaService, newClusterId, offsetsRetentionMinutes } from '../../stack/services/kafka.ts';
import type { ServiceContext } from '../../stack/services/context.ts';

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

describe('Kafka’s memory of what was read', () => {
  it('outlives every record, in a segment that took a week to fill', () => {
    const longestMs = Math.max(...topics.map(({ retentionMs }) => retentionMs));
    const segmentMs = 7 * 86_400_000;
    assert.ok(offsetsRetentionMinutes * 60_000 > longestMs + segmentMs);
  });

  it('is among the broker’s settings', () => {
    // What is not asked of Kafka's definition is not made up here.
    const context = { settings: readStackSettings({}), installed: { kafkaLibDir: '' }, env: {} } as ServiceContext;
    assert.match(kafkaService(context).fingerprint ?? '', /^offsets\.retention\.minutes=57600$/m);
  });
});
