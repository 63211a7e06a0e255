/** The task queue that the worker polls and that `temporal workflow start` names. */
export const taskQueue = 'segue';

/** The workflow types, as users start them. */
export const workflowTypes = {
  initialDataLoad: 'initialDataLoad',
  weeklyTrendsIngestion: 'weeklyTrendsIngestion',
  reviewWeeklyFile: 'reviewWeeklyFile',
  refreshRecommendations: 'refreshRecommendations',
  streamEvents: 'streamEvents',
  measureOutcomes: 'measureOutcomes',
  forgetUser: 'forgetUser',
  maintainLakehouse: 'maintainLakehouse',
  rollbackModel: 'rollbackModel',
} as const;

/** The id of the initial load by `npm start` and `POST /pipeline/initial-load`: a single run at a time. */
export const initialLoadId = 'initial-load';

/** The id of the weekly schedule, and of a weekly run that `npm start` or `POST /pipeline/weekly-trends` starts. */
export const weeklyTrendsId = 'weekly-trends-ingestion';

/** The id of the review of a week's file: a single review at a time. */
export function weeklyReviewId(file: { readonly weekEnd: string }): string {
  return `weekly-trends/${file.weekEnd}`;
}

/** The search attribute that says which data week a run is about. */
export const weekSearchAttribute = 'SegueWeek';

/** The id under which `POST /pipeline/refresh` runs a refresh on its own. */
export const refreshId = 'refresh-recommendations';

/** The id of the refresh that another run ends with: a run of its own, so that its failure is not that run's. */
export function refreshIdOf(run: { readonly workflowId: string }): string {
  return `${run.workflowId}/refresh`;
}

/** The id of the maintenance schedule, and of a run that it starts. */
export const maintenanceId = 'lakehouse-maintenance';

/** The id under which `npm start` keeps the Kafka → Delta streams running: always on. */
export const streamEventsId = 'stream-events';
/** The id of a rollback, for every way to start it: a single run at a time. */
export const rollbackId = 'rollback-model';

/** The name of the update of `rollbackModel`; its argument is the input of that workflow. */
export const rollBackUpdateName = 'rollBack';

/** The id of the daily schedule that measures the outcomes of recommendations, and of its runs. */
export const measureOutcomesId = 'recommendation-outcomes';

/** Grows when load_bronze makes other rows of the same file: then a file's content is no reason to think that it is done. */
const loadBronzeVersion = 1;

/**
 * The identity of a landing file's load into bronze: the step, the job's version and the content. It is the transaction
 * id of the Delta commit, and Spark runs a single job with this identity at a time.
 */
export function bronzeFileKey(file: {
  readonly file: string;
  readonly sha256: string;
  readonly generation: number;
}): string {
  return `load_bronze/${loadBronzeVersion}/${file.file}/${file.sha256}/${file.generation}`;
}

/** The version of a snapshot that has no lists, because the model of its run was refused and nothing was served before. */
export function chartVersionOf(modelVersion: string): string {
  return modelVersion.replace(/^als-/, 'chart-');
}

/** The version of the model a run trains: sorts by time, unique by run (a run id begins with the time, too, so its end is taken), the same in every retry and replay. */
export function modelVersionOf(run: { readonly runId: string; readonly startedAt: Date }): string {
  const time = run.startedAt.toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
  return `als-${time}-${run.runId.slice(-8)}`;
}
