import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { DeterminismViolationError } from '@temporalio/workflow';
import { Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { bundleWorkflows, quietRuntime } from '../support/temporal.ts';

const folder = new URL('./histories/', import.meta.url);

/** Runs that are open when a new version is rolled out must go on: today's workflows replay yesterday's histories. */
describe('replay of recorded histories', function () {
  this.timeout(60_000);
  let workflowBundle: WorkflowBundleWithSourceMap;
  before(async () => {
    quietRuntime();
    workflowBundle = await bundleWorkflows();
  });

  for (const name of readdirSync(folder)) {
    it(`replays ${name}`, async () => {
      await Worker.runReplayHistory({ workflowBundle }, readHistory(name), workflowIdOf(name));
    });
  }

  it('refuses a history whose steps the workflow no longer takes', async () => {
    const history = readHistory('refresh-recommendations.json') as {
      events: { activityTaskScheduledEventAttributes?: { activityType: { name: string } } }[];
    };
    const first = history.events.find((event) => event.activityTaskScheduledEventAttributes);
    first!.activityTaskScheduledEventAttributes!.activityType.name = 'aStepOfLongAgo';
    await assert.rejects(
      Worker.runReplayHistory({ workflowBundle }, history, 'recorded/changed'),
      DeterminismViolationError,
    );
  });
});

function readHistory(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
}

function workflowIdOf(name: string): string {
  return `recorded/${name.replace(/\.json$/, '')}`;
}
