import assert from 'node:assert/strict';
import { MockActivityEnvironment } from '@temporalio/testing';
import { noopMetricMeter, type MetricTags } from '@temporalio/common';
import { createRefusedGauge } from '../../activities/refused-events.ts';

describe('the gauge of refused events', () => {
  it('has the rows by reason, and 0 for a reason that has none any more', async () => {
    const told: [number, unknown][] = [];
    const gauge = {
      ...noopMetricMeter.createGauge('g'),
      set: (value: number, tags?: MetricTags) => told.push([value, tags?.['reason']]),
    };
    const metricMeter = Object.assign(Object.create(noopMetricMeter), { createGauge: () => gauge });
    const environment = new MockActivityEnvironment({}, { metricMeter });
    const tell = createRefusedGauge();
    await environment.run(async () => {
      tell({ too_late_timestamp: 2, missing_user_id: 1 });
      tell({ missing_user_id: 3 });
    });
    assert.deepEqual(told, [
      [2, 'too_late_timestamp'],
      [1, 'missing_user_id'],
      [0, 'too_late_timestamp'],
      [3, 'missing_user_id'],
    ]);
  });
});
