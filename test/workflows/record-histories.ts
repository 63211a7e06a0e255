/**
 * Records the histories that replay.test.ts replays: `node --import tsx test/workflows/record-histories.ts NAME…`. Run it
 * for a NEW workflow or a new path through one; a recorded history is never recorded again to make a test pass, because it
 * stands for runs that are open in the field.
 */
import { writeFile } from 'node:fs/promises';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { scripted } from '../support/scripted-activities.ts';
import { startTemporal, withWorker } from '../support/temporal.ts';

const stories: Readonly<Record<string, { readonly type: string; readonly input?: unknown }>> = {
  'initial-data-load': { type: 'initialDataLoad' },
  'initial-data-load-without-refresh': { type: 'initialDataLoad', input: { refresh: false } },
  'refresh-recommendations': { type: 'refreshRecommendations', input: { force: true } },
};

const fixture = await startTemporal();
for (const name of process.argv.slice(2)) {
  const story = stories[name];
  if (!story) throw new Error(`no story ${name}; known: ${Object.keys(stories).join(', ')}`);
  const history = await withWorker(fixture, scripted().activities, async (world) => {
    const handle = await world.start(story.type, { workflowId: `recorded/${name}`, input: story.input });
    await handle.result();
    return handle.fetchHistory();
  });
  const path = new URL(`./histories/${name}.json`, import.meta.url);
  await writeFile(path, `${historyToJSON(history)}\n`);
}
await fixture.env.teardown();
