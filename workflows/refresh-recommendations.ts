import { log, patched, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { PublicationActivities, RefreshStep, SparkActivities } from '../contracts/activities.ts';
import { modelVersionOf } from '../contracts/ids.ts';
import { lake } from '../contracts/lake.ts';
import type { RefreshedTable, RefreshInput, RefreshResult } from '../contracts/runs.ts';
import type { TablePath } from '../contracts/write-locks.ts';
import { quick, sparkJob } from './activity-options.ts';
import { announce } from './announce.ts';
import { trackProgress, type ProgressTracker } from './progress.ts';
import { withWriteLocks } from './write-lock.ts';

const { buildSilver, buildFeatures, buildGold, exportSnapshot } = proxyActivities<SparkActivities>(sparkJob);
const { describeRefresh, publishSnapshot } = proxyActivities<PublicationActivities>(quick);

const refreshedTables = lake.tables
  .filter(({ layer }) => layer !== 'bronze')
  .map(({ layer, name }): TablePath => `${layer}/${name}`);

/** Rebuilds silver and gold from bronze and publishes a serving snapshot; nothing new in, nothing done. */
export async function refreshRecommendations(input: RefreshInput = {}): Promise<RefreshResult> {
  const progress = trackProgress();
  const result = await refresh(progress, input);
  progress.enter('done');
  return result;
}

/** The refresh as a step of another run, under the lock on what it writes. */
export function refresh(progress: ProgressTracker, input: RefreshInput): Promise<RefreshResult> {
  return withWriteLocks(progress, refreshedTables, () => rebuild(progress, input));
}

async function rebuild(progress: ProgressTracker, input: RefreshInput): Promise<RefreshResult> {
  const { inputs, published } = await describeRefresh();
  if (published?.inputs === inputs && !input.force) {
    log.info('nothing new to recommend from', { modelVersion: published.modelVersion });
    const { modelVersion, users, recommendations } = published;
    return { outcome: 'unchanged', modelVersion, users, recommendations, tables: [] };
  }
  const { runId, workflowId, startTime } = workflowInfo();
  const modelVersion = modelVersionOf({ runId, startedAt: startTime });
  const runKey = `${workflowId}/${runId}`;

  const step = { runKey, force: input.force ?? false, checkedAt: startTime.toISOString() };

  progress.enter('building silver');
  const silver = await buildSilver(step);
  const features = patched('weekly-statistics-and-features') ? await enterFeatures(progress, step) : [];
  progress.enter('training and ranking');
  const gold = await buildGold({ runKey, modelVersion });
  progress.enter('exporting the snapshot');
  const snapshot = await exportSnapshot({ runKey, modelVersion, generatedAt: startTime.toISOString() });
  progress.enter('publishing');
  await publishSnapshot({ snapshot, inputs });

  const { users, recommendations } = gold;
  const { mode, why, rowsRead, duplicates } = silver;
  await announce({ stage: 'published', details: { modelVersion, users, recommendations } });
  return {
    outcome: 'published',
    modelVersion,
    users,
    recommendations,
    tables: [...silver.tables, ...features, ...gold.tables],
    silver: { mode, why, rowsRead, duplicates },
  };
}

async function enterFeatures(progress: ProgressTracker, step: RefreshStep): Promise<readonly RefreshedTable[]> {
  progress.enter('building statistics and features');
  return (await buildFeatures(step)).tables;
}
