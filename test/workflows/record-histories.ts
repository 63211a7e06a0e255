/**
 * Records the histories that replay.test.ts replays: `node --import tsx test/workflows/record-histories.ts NAME…`. Nothing is
 * released yet: who changes the steps of a workflow records its history anew. From the first release on a recorded history
 * stays, because it stands for runs that are open in the field, and a change needs patched() and a history of its own.
 */
import { writeFile } from 'node:fs/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import type { RunProgress } from '../../contracts/progress.ts';
import { writeLockId, type WriteLockName } from '../../contracts/write-locks.ts';
import { scripted } from '../support/scripted-activities.ts';
import { startTemporal, withWorker, type World } from '../support/temporal.ts';
import { until } from '../support/wait.ts';

interface Story {
  readonly type: string;
  readonly input?: unknown;
  /** A lock that somebody else holds when the run comes to it, and lets go once it waits. */
  readonly lockHeldBefore?: WriteLockName;
  /** The run never ends but continues as new: its first run is what is recorded. */
  readonly isEndless?: boolean;
}

const stories: Readonly<Record<string, Story>> = {
  'initial-data-load': { type: 'initialDataLoad' },
  'weekly-trends-ingestion': { type: 'weeklyTrendsIngestion' },
  'refresh-recommendations': { type: 'refreshRecommendations', input: { force: true } },
  'stream-events': { type: 'streamEvents', isEndless: true },
  'measure-outcomes': { type: 'measureOutcomes' },
  'forget-user': { type: 'forgetUser', input: { userId: 'u1' } },
  'maintain-lakehouse': { type: 'maintainLakehouse' },
  'initial-data-load-waits-for-lock': {
    type: 'initialDataLoad',
    input: { refresh: false },
    lockHeldBefore: 'bronze/fact_listening_events',
  },
  'rollback-model': { type: 'rollbackModel', input: { modelVersion: 'als-1' } },
};

const fixture = await startTemporal();
for (const name of process.argv.slice(2)) {
  const story = stories[name];
  if (!story) throw new Error(`no story ${name}; known: ${Object.keys(stories).join(', ')}`);
  const history = await withWorker(fixture, scripted().activities, async (world) => {
    const letGo = story.lockHeldBefore && (await holdLock(world, story.lockHeldBefore));
    const handle = await world.start(story.type, { workflowId: `recorded/${name}`, input: story.input });
    if (letGo) {
      await until('the run waits', async () => (await handle.query<RunProgress>('progress')).waitingFor !== undefined);
      await letGo();
    }
    if (story.isEndless) return historyOfFirstRun(handle.workflowId);
    await handle.result();
    return handle.fetchHistory();
  });
  const path = new URL(`./histories/${name}.json`, import.meta.url);
  await writeFile(path, `${historyToJSON(history)}\n`);
}
await fixture.env.teardown();

/** Waits until the run has continued as new, and ends it. */
async function historyOfFirstRun(workflowId: string): ReturnType<WorkflowHandle['fetchHistory']> {
  const { workflow } = fixture.env.client;
  const first = (await workflow.getHandle(workflowId).describe()).runId;
  await until('it has continued as new', async () => (await workflow.getHandle(workflowId).describe()).runId !== first);
  await workflow.getHandle(workflowId).terminate('recorded');
  return workflow.getHandle(workflowId, first).fetchHistory();
}

/** Takes a lock as an operator would by hand; answers how to let it go. */
async function holdLock(world: World, lock: WriteLockName): Promise<() => Promise<void>> {
  const holder = await world.start('holdWriteLock', { workflowId: writeLockId(lock) });
  return () => holder.signal('release');
}
