import { log, patched, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type {
  Judgement,
  PublicationActivities,
  PublishedSnapshot,
  RefreshStep,
  RefusedModel,
  SparkActivities,
} from '../contracts/activities.ts';
import { chartVersionOf, modelVersionOf } from '../contracts/ids.ts';
import { lake } from '../contracts/lake.ts';
import type { RefreshedTable, RefreshInput, RefreshResult } from '../contracts/runs.ts';
import type { TablePath } from '../contracts/write-locks.ts';
import { quick, sparkJob } from './activity-options.ts';
import { announce } from './announce.ts';
import { checkInput } from './input.ts';
import { trackProgress, type ProgressTracker } from './progress.ts';
import { withWriteLocks } from './write-lock.ts';

const { buildSilver, buildFeatures, evaluateModel, buildGold, exportSnapshot } =
  proxyActivities<SparkActivities>(sparkJob);
const { describeRefresh, publishSnapshot, recordRefusal } = proxyActivities<PublicationActivities>(quick);

const refreshedTables = lake.tables
  .filter(({ layer }) => layer !== 'bronze')
  .map(({ layer, name }): TablePath => `${layer}/${name}`);

/** Rebuilds silver and gold from bronze and publishes a serving snapshot; nothing new in, nothing done. */
export async function refreshRecommendations(input: RefreshInput = {}): Promise<RefreshResult> {
  const progress = trackProgress();
  checkInput('refreshRecommendations', input);
  const result = await refresh(progress, input);
  progress.enter('done');
  return result;
}

/** The refresh as a step of another run, under the lock on what it writes. */
export function refresh(progress: ProgressTracker, input: RefreshInput): Promise<RefreshResult> {
  return withWriteLocks(progress, refreshedTables, () => rebuild(progress, input));
}

async function rebuild(progress: ProgressTracker, input: RefreshInput): Promise<RefreshResult> {
  const { inputs, published, refused } = await describeRefresh();
  const known = input.force ? undefined : outcomeOfSame(inputs, published, refused);
  if (known) {
    log.info('nothing new to recommend from', { outcome: known.outcome, modelVersion: known.modelVersion });
    return known;
  }
  const { runId, workflowId } = workflowInfo();
  // Not the run's start: a review may have waited for weeks before it comes to this.
  const startedAt = new Date();
  const run = {
    runKey: `${workflowId}/${runId}`,
    modelVersion: modelVersionOf({ runId, startedAt }),
    startedAt: startedAt.toISOString(),
  };
  const step = { runKey: run.runKey, force: input.force ?? false, checkedAt: run.startedAt };

  progress.enter('building silver');
  const silver = await buildSilver(step);
  const features = patched('weekly-statistics-and-features') ? await enterFeatures(progress, step) : [];
  const judgement = patched('judged-models') ? await judge(progress, run, published) : undefined;
  const served =
    judgement?.promoted === false
      ? await refuse(progress, { ...run, inputs, judgement, published })
      : await publish(progress, { ...run, inputs, ...(judgement && { judgement }) });

  const { mode, why, rowsRead, duplicates } = silver;
  const tables = [...silver.tables, ...features, ...served.tables];
  return { ...served, tables, silver: { mode, why, rowsRead, duplicates } };
}

/** What a refresh of the same inputs would come to again; undefined when something is new. */
function outcomeOfSame(
  inputs: string,
  published: PublishedSnapshot | undefined,
  refused: RefusedModel | undefined,
): RefreshResult | undefined {
  if (!published) return undefined;
  const { modelVersion, users, recommendations } = published;
  if (refused?.inputs === inputs) {
    const { modelVersion: trained, why } = refused;
    return { outcome: 'refused', modelVersion: trained, why, users, recommendations, tables: [] };
  }
  if (published.inputs !== inputs) return undefined;
  return { outcome: 'unchanged', modelVersion, users, recommendations, tables: [] };
}

interface Run {
  readonly runKey: string;
  readonly modelVersion: string;
  readonly startedAt: string;
}

type Served = Omit<RefreshResult, 'silver'>;

async function judge(
  progress: ProgressTracker,
  { runKey, modelVersion, startedAt: evaluatedAt }: Run,
  published: PublishedSnapshot | undefined,
): Promise<Judgement> {
  progress.enter('judging the model');
  const served = published && { servedModelVersion: published.modelVersion };
  const { promoted, why, users, ndcg } = await evaluateModel({ runKey, modelVersion, evaluatedAt, ...served });
  log.info(promoted ? 'model is promoted' : 'model is refused', { modelVersion, why });
  return { modelVersion, promoted, why, measures: { users, ndcg } };
}

async function publish(
  progress: ProgressTracker,
  {
    runKey,
    modelVersion,
    startedAt,
    inputs,
    judgement,
  }: Run & { readonly inputs: string; readonly judgement?: Judgement },
): Promise<Served> {
  progress.enter('training and ranking');
  const { users, recommendations, tables } = await buildGold({ runKey, modelVersion });
  progress.enter('exporting the snapshot');
  const snapshot = await exportSnapshot({ runKey, modelVersion, generatedAt: startedAt });
  progress.enter('publishing');
  await publishSnapshot({ snapshot, inputs, ...(judgement && { judgement }) });
  await announce({ stage: 'published', details: { modelVersion, users, recommendations } });
  return {
    outcome: 'published',
    modelVersion,
    ...(judgement && { why: judgement.why }),
    users,
    recommendations,
    tables,
  };
}

/** What is served stays. Where nothing is, the chart is published without lists: it is what the model was not better than. */
async function refuse(
  progress: ProgressTracker,
  refusal: Run & {
    readonly inputs: string;
    readonly judgement: Judgement;
    readonly published: PublishedSnapshot | undefined;
  },
): Promise<Served> {
  const { runKey, modelVersion, startedAt, inputs, judgement, published } = refusal;
  if (published) {
    await recordRefusal({ judgement, inputs });
  } else {
    progress.enter('exporting the chart');
    const chart = chartVersionOf(modelVersion);
    const snapshot = await exportSnapshot({ runKey, modelVersion: chart, generatedAt: startedAt, chartOnly: true });
    await publishSnapshot({ snapshot, inputs, judgement });
  }
  const { why } = judgement;
  await announce({ stage: 'refused', details: { modelVersion, why } });
  const { users, recommendations } = published ?? { users: 0, recommendations: 0 };
  return { outcome: 'refused', modelVersion, why, users, recommendations, tables: [] };
}

async function enterFeatures(progress: ProgressTracker, step: RefreshStep): Promise<readonly RefreshedTable[]> {
  progress.enter('building statistics and features');
  return (await buildFeatures(step)).tables;
}
