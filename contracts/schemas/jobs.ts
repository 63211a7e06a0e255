import { z } from 'zod';
import { outcomeGroup } from './outcomes.ts';

/**
 * The interface between TypeScript and the Spark jobs: a JSON document of parameters goes in, and a result document
 * comes out. The jobs are in spark-submit/jobs/<job>.py. A secret is never a parameter.
 */

const runKey = z.string().min(1).describe('the unit of work; Delta transaction ids are made of it');
const lakeUri = z.string().describe('folder of the layers, e.g. s3a://data');
const isoTime = z.string().describe('ISO 8601, UTC; the only clock a job knows');
const earliest = isoTime.describe('the earliest time of a listen that is taken');
const tableVersion = z.object({ table: z.string(), version: z.number().int(), rows: z.number().int() });
const seconds = z.record(z.string(), z.number()).describe('wall-clock seconds by step');

/** A landing file to load into bronze, with the Delta transaction id of its content. */
export const bronzeFile = z.object({
  file: z.string(),
  table: z.string(),
  uri: z.string(),
  key: z.string(),
  rows: z.number().int().describe('data rows counted while the file was checked'),
});

export const loadBronzeParams = z.object({
  runKey,
  lakeUri,
  ingestedAt: isoTime.describe('the latest time that is taken lies rules.json’s aheadMinutes after it'),
  earliest,
  files: z.array(bronzeFile).min(1),
});

export const loadBronzeResult = z.object({
  job: z.literal('load_bronze'),
  runKey: z.string(),
  files: z.array(
    z.object({
      file: z.string(),
      table: z.string(),
      bronze: z.number().int().describe('rows of the table with this _source_file, counted after the commit'),
      quarantined: z.number().int().describe('rows of quarantine/<table> with this source_file, read back'),
      reasons: z.record(z.string(), z.number().int()).describe('refused rows by reason'),
      tableVersion: z.number().int(),
    }),
  ),
  seconds,
});

const build = z.string().describe('names code and settings; tables made by another build are made whole');
const force = z.boolean().describe('make every table whole, whatever is new');
const checkedAt = isoTime.describe('when the checks of this run are dated');

const refreshedTable = tableVersion.extend({
  rowsWritten: z.number().int(),
  weeksWritten: z.array(z.string()).nullable().describe('week_end of each week written; null when all were'),
});

const checks = z.object({
  checked: z.number().int(),
  warnings: z.array(z.string()).describe('soft checks that failed; a hard one that fails ends the job'),
});

export const buildSilverParams = z.object({
  runKey,
  lakeUri,
  build,
  force,
  checkedAt,
  earliest,
  weekEndsOn: z.enum(['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday']),
});

export const buildSilverResult = z.object({
  job: z.literal('build_silver'),
  runKey: z.string(),
  tables: z.array(refreshedTable),
  mode: z.enum(['whole', 'weeks']),
  why: z.string().describe('what decided the mode'),
  weeks: z.array(z.string()).nullable().describe('week_end of each week whose events were made anew; null for all'),
  rowsRead: z.number().int().describe('rows of bronze that were read for it'),
  duplicatesDropped: z.number().int(),
  /** Deliveries of events that are not kept, in the whole table silver/duplicate_events. */
  duplicates: z.object({
    within_file: z.number().int(),
    across_files: z.number().int(),
    within_stream: z.number().int(),
    against_stream: z.number().int(),
  }),
  refused: z
    .record(z.string(), z.number().int())
    .describe('rows of silver/refused_events by reason, in the whole table'),
  checks,
  lastWeekEnd: z.string().nullable().describe("the data's last week; null where there is no event"),
  pendingWeeks: z.number().int().describe('weeks after it, which have too few users to count'),
  pendingEvents: z.number().int(),
  seconds,
});

export const buildFeaturesParams = z.object({ runKey, lakeUri, build, force, checkedAt });

export const buildFeaturesResult = z.object({
  job: z.literal('build_features'),
  runKey: z.string(),
  tables: z.array(refreshedTable),
  checks,
  seconds,
});

/** The measures of a model on the judged days, as means over the listeners. */
export const modelMeasures = z.object({
  recall: z.number(),
  ndcg: z.number(),
  map: z.number(),
  ndcgLow: z.number().describe('95 % bootstrap interval of the mean NDCG'),
  ndcgHigh: z.number(),
  coverage: z.number().describe('share of the tracks that could be recommended that some list has'),
  novelty: z.number().describe('bits: -log2 of the share of users who like a recommended track'),
  diversity: z.number().describe('1 - mean cosine between two tracks of a list'),
});

export const evaluateModelParams = z.object({
  runKey,
  lakeUri,
  modelVersion: z.string(),
  evaluatedAt: isoTime,
  build,
  force: z.boolean().describe('fit anew, whatever is kept'),
  k: z.number().int().positive(),
  seed: z.number().int(),
  /** The served model, if gold/user_recommendations holds its lists. */
  servedModelVersion: z.string().optional(),
  /** The generator's knowledge of the judged days (`generate -- oracle`), for benches only. */
  oracleUri: z.string().optional(),
});

export const evaluateModelResult = z.object({
  job: z.literal('evaluate_model'),
  runKey: z.string(),
  modelVersion: z.string(),
  split: z.object({ trainUntil: z.string(), validationUntil: z.string(), testUntil: z.string() }),
  k: z.number().int(),
  weights: z.record(z.string(), z.number()),
  settings: z.record(z.string(), z.number()),
  fit: z.enum(['new', 'kept']).describe('kept: of a former refresh, no more than four weeks old'),
  candidate: modelMeasures.partial().extend({ users: z.number().int(), ndcg: z.number() }),
  baselines: z.record(
    z.string(),
    modelMeasures.extend({
      differenceLow: z.number().describe("interval of the candidate's NDCG minus the baseline's"),
      differenceHigh: z.number(),
    }),
  ),
  served: modelMeasures.extend({ modelVersion: z.string() }).nullable(),
  oracle: modelMeasures.nullable(),
  promoted: z.boolean(),
  why: z.string(),
  tables: z.array(tableVersion),
  seconds,
});

export const buildGoldParams = z.object({
  runKey,
  lakeUri,
  modelVersion: z.string(),
  build,
  recommendationsPerUser: z.number().int().positive(),
  seed: z.number().int(),
});

export const buildGoldResult = z.object({
  job: z.literal('build_gold'),
  runKey: z.string(),
  modelVersion: z.string(),
  tables: z.array(tableVersion),
  users: z.number().int(),
  recommendations: z.number().int(),
  seconds,
});

export const exportSnapshotParams = z.object({
  runKey,
  lakeUri,
  /** Folder of this snapshot, e.g. s3a://serving/snapshots/<modelVersion>. */
  snapshotUri: z.string(),
  modelVersion: z.string(),
  generatedAt: isoTime,
  chartOnly: z.boolean().optional().describe('no lists: there is no model that may be served yet'),
  shards: z.number().int().positive(),
});

export const exportSnapshotResult = z.object({
  job: z.literal('export_snapshot'),
  runKey: z.string(),
  manifestKey: z.string().describe('key of the manifest in the serving bucket'),
  manifestSha256: z.string(),
  users: z.number().int(),
  recommendations: z.number().int(),
  sizeBytes: z.number().int(),
  seconds,
});

export const buildOutcomesParams = z.object({
  runKey,
  lakeUri,
  windowHours: z.number().int().positive().describe('an event counts for an impression at most this long before it'),
});

export const buildOutcomesResult = z.object({
  job: z.literal('build_outcomes'),
  runKey: z.string(),
  tables: z.array(tableVersion),
  groups: z.array(outcomeGroup),
  seconds,
});

export const forgetUserParams = z.object({ runKey, lakeUri, userId: z.string().min(1), forgottenAt: isoTime });

export const forgetUserResult = z.object({
  job: z.literal('forget_user'),
  runKey: z.string(),
  tables: z.array(z.object({ table: z.string(), rows: z.number().int() })).describe('rows that were the user’s'),
  seconds,
});

const tableMeasure = z.object({
  files: z.number().int(),
  sizeBytes: z.number().int(),
  smallFiles: z.number().int(),
  logEntries: z.number().int(),
  unusedFiles: z.number().int(),
});

export const maintainLakehouseParams = z.object({
  runKey,
  lakeUri,
  tables: z.array(z.object({ table: z.string() })).min(1),
  retentionHours: z.number().int().positive(),
});

export const maintainLakehouseResult = z.object({
  job: z.literal('maintain_lakehouse'),
  runKey: z.string(),
  tables: z.array(
    z.object({
      table: z.string(),
      outcome: z.enum(['maintained', 'unchanged']),
      actions: z.array(z.enum(['compacted', 'vacuumed', 'checkpointed', 'log cleaned'])),
      before: tableMeasure,
      after: tableMeasure,
    }),
  ),
  seconds,
});

/** Every Spark job by name, with the schemas of its parameters and its result. */
export const sparkJobs = {
  load_bronze: { params: loadBronzeParams, result: loadBronzeResult },
  build_silver: { params: buildSilverParams, result: buildSilverResult },
  build_features: { params: buildFeaturesParams, result: buildFeaturesResult },
  evaluate_model: { params: evaluateModelParams, result: evaluateModelResult },
  build_gold: { params: buildGoldParams, result: buildGoldResult },
  export_snapshot: { params: exportSnapshotParams, result: exportSnapshotResult },
  build_outcomes: { params: buildOutcomesParams, result: buildOutcomesResult },
  forget_user: { params: forgetUserParams, result: forgetUserResult },
  maintain_lakehouse: { params: maintainLakehouseParams, result: maintainLakehouseResult },
} as const;

export type SparkJobName = keyof typeof sparkJobs;
export type SparkJobParams<Job extends SparkJobName> = z.infer<(typeof sparkJobs)[Job]['params']>;
export type SparkJobResult<Job extends SparkJobName> = z.infer<(typeof sparkJobs)[Job]['result']>;

/** A line a job prints on stdout while it works. */
export const sparkProgressLine = z.object({
  segue: z.literal('progress'),
  job: z.string(),
  step: z.string(),
  tasksDone: z.number().int(),
  tasksTotal: z.number().int(),
});

/**
 * The last line of a failed job on stderr. It may be missing or cut off: the exit code alone gives the kind of failure.
 */
export const sparkErrorLine = z.object({ error: z.object({ type: z.string(), message: z.string() }) });

export type SparkJobError = z.infer<typeof sparkErrorLine>['error'];
