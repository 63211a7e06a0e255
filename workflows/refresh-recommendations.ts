import { isCancellation, log, proxyActivities, workflowInfo } from '@temporalio/workflow';
import type {
  Judgement,
  PublicationActivities,
  PublishedSnapshot,
  RefreshStep,
  RefusedModel,
  SilverSummary,
  SparkActivities,
} from '../contracts/activities.ts';
import { chartVersionOf, modelVersionOf } from '../contracts/ids.ts';
import { lake } from '../contracts/lake.ts';
import type { RefreshedTable, RefreshInput, RefreshResult, SilverRefresh } from '../contracts/runs.ts';
import type { TablePath } from '../contracts/write-locks.ts';
import { quick, sparkJob } from './activity-options.ts';
import { announce } from './announce.ts';
import { describeFailure } from './failure-of.ts';
import { checkInput } from './input.ts';
import { trackProgress, type ProgressTracker } from './progress.ts';
import { sideBySide } from './side-by-side.ts';
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
  try {
    const result = await withWriteLocks(progress, refreshedTables, () => rebuild(progress, input));
    progress.enter('done');
    return result;
  } catch (error) {
    if (!isCancellation(error)) await announce({ stage: 'refresh failed', details: describeFailure(error) });
    throw error;
  }
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
  const [features, model] = await makeGold(progress, step, { ...run, force: step.force, published });
  const served = model.lists
    ? await publish(progress, { ...run, inputs, published, ...model })
    : await refuse(progress, { ...run, inputs, published, ...model });

  const tables = [...silver.tables, ...features, ...served.tables];
  return { ...served, tables, silver: summaryOf(silver) };
}

function summaryOf(silver: SilverSummary): SilverRefresh {
  const { mode, why, rowsRead, duplicates, refused, lastWeekEnd, pendingWeeks, pendingEvents } = silver;
  return { mode, why, rowsRead, duplicates, refused, lastWeekEnd, pendingWeeks, pendingEvents };
}

/** The known result of a refresh of the same inputs; undefined if an input is new. */
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

/** A model that was not refused, and the lists made with it. */
interface Listed {
  readonly judgement: Judgement;
  readonly lists: Awaited<ReturnType<SparkActivities['buildGold']>>;
}

/** A model that was refused: there are no lists. */
interface Refused {
  readonly judgement: Judgement;
  readonly lists?: undefined;
}

type Served = Omit<RefreshResult, 'silver'>;
type ToServe = Run & { readonly inputs: string; readonly published: PublishedSnapshot | undefined };
type ToModel = Run & { readonly force: boolean; readonly published: PublishedSnapshot | undefined };

/** Makes the statistics and features, and at the same time the model and its lists. The two jobs do not read each other's tables. */
async function makeGold(
  progress: ProgressTracker,
  step: RefreshStep,
  toModel: ToModel,
): Promise<readonly [readonly RefreshedTable[], Listed | Refused]> {
  const features = async (): Promise<readonly RefreshedTable[]> => (await buildFeatures(step)).tables;
  return sideBySide(features, () => makeModel(progress, toModel));
}

async function makeModel(progress: ProgressTracker, toModel: ToModel): Promise<Listed | Refused> {
  const { runKey, modelVersion } = toModel;
  const judgement = await judge(progress, toModel);
  if (!judgement.promoted) return { judgement };
  progress.enter('making the lists');
  return { judgement, lists: await buildGold({ runKey, modelVersion }) };
}

async function judge(
  progress: ProgressTracker,
  { runKey, modelVersion, startedAt: evaluatedAt, force, published }: ToModel,
): Promise<Judgement> {
  progress.enter('judging the model');
  const served = published && { servedModelVersion: published.modelVersion };
  const evaluation = await evaluateModel({ runKey, modelVersion, evaluatedAt, force, ...served });
  const { promoted, why, users, ndcg } = evaluation;
  log.info(promoted ? 'model is promoted' : 'model is refused', { modelVersion, why });
  return { modelVersion, promoted, why, measures: { users, ndcg } };
}

async function publish(
  progress: ProgressTracker,
  { runKey, modelVersion, startedAt, inputs, judgement, lists }: ToServe & Listed,
): Promise<Served> {
  const { users, recommendations, tables } = lists;
  progress.enter('exporting the snapshot');
  const snapshot = await exportSnapshot({ runKey, modelVersion, generatedAt: startedAt });
  progress.enter('publishing');
  await publishSnapshot({ snapshot, inputs, judgement });
  await announce({ stage: 'published', details: { modelVersion, users, recommendations } });
  return {
    outcome: 'published',
    modelVersion,
    why: judgement.why,
    users,
    recommendations,
    tables,
  };
}

/** Keeps the served snapshot. If there is none, publishes the chart without lists, because the model was not better than the chart. */
async function refuse(
  progress: ProgressTracker,
  { runKey, modelVersion, startedAt, inputs, judgement, published }: ToServe & Refused,
): Promise<Served> {
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
