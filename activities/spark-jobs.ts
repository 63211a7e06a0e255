import { createHash } from 'node:crypto';
import { CancelledFailure, Context } from '@temporalio/activity';
import pLimit from 'p-limit';
import type { PlannedFile, SparkActivities } from '../contracts/activities.ts';
import type { FailureType } from '../contracts/failures.ts';
import { bronzeFileKey } from '../contracts/ids.ts';
import { lake } from '../contracts/lake.ts';
import { sparkJobs, type SparkJobName, type SparkJobParams, type SparkJobResult } from '../contracts/schemas/jobs.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import { findCommitted } from './committed-files.ts';
import { failure } from './failures.ts';
import { whileHeartbeating } from './heartbeat.ts';
import { landingKey } from './landing-files.ts';
import { createProgressReporter } from './progress-reporter.ts';
import { createRefusedGauge } from './refused-events.ts';
import { parseJson, runSparkProcess, type SparkExit, type SparkProcessOptions } from './spark-process.ts';

const askedAtOnce = 16;
/**
 * The failure type for each exit code of a job. The exit code counts even if the job printed no error. A retry may help
 * for all remaining exit codes.
 */
const failureOfExit: Readonly<Record<number, FailureType>> = {
  64: 'SparkBadParameters',
  65: 'SparkBrokenContract',
  66: 'LakeStoreUnsafe',
  67: 'RetentionTooShort',
  68: 'TableCheckFailed',
};

/**
 * The dependencies of the Spark activities: the runner of jobs and the settings of the models. `codeVersion` changes
 * with the jobs' code.
 */
export interface SparkDeps {
  readonly process: SparkProcessOptions;
  readonly codeVersion: string;
  readonly settings: RecommenderSettings;
  readonly store: ObjectStore;
}

/** The settings of the recommendations. */
export interface RecommenderSettings {
  readonly weekEndsOn: SparkJobParams<'build_silver'>['weekEndsOn'];
  /** The earliest time of a listen that is taken, by the grammar of contracts/acceptance. */
  readonly earliest: string;
  readonly recommendationsPerUser: number;
  readonly snapshotShards: number;
  readonly seed: number;
}

/** Models are judged by so many places of a list. */
const judgedPlaces = 10;
const lakeUri = `s3a://${lake.buckets.data}`;

/** The activities that run Spark jobs. */
export function createSparkActivities({ process, settings, store, codeVersion }: SparkDeps): SparkActivities {
  const run = <Job extends SparkJobName>(job: Job, params: SparkJobParams<Job>): Promise<SparkJobResult<Job>> =>
    runSparkJob(process, job, params);
  const tellRefused = createRefusedGauge();
  return {
    loadBronze: async ({ files, ingestedAt }) => {
      const committed = await whileHeartbeating(() => lookUp(store, files));
      const done = committed.flatMap((counted) => (counted ? [counted] : []));
      const left = files.filter((_, index) => !committed[index]);
      if (left.length === 0) return { files: done };
      const submissionKey = submissionKeyOf(left);
      const params = {
        runKey: submissionKey,
        lakeUri,
        ingestedAt,
        earliest: settings.earliest,
        files: left.map((file) => ({
          file: file.file,
          table: file.table,
          uri: `s3a://${lake.buckets.landing}/${landingKey(file)}`,
          key: bronzeFileKey(file),
          rows: file.rows,
        })),
      };
      const { files: loaded } = await runSparkJob(process, 'load_bronze', params, { identity: submissionKey });
      return { files: [...done, ...loaded] };
    },
    buildSilver: async (input) => {
      const { weekEndsOn, earliest } = settings;
      const built = await run('build_silver', { ...input, lakeUri, build: codeVersion, weekEndsOn, earliest });
      tellRefused(built.refused);
      return built;
    },
    buildFeatures: (input) => run('build_features', { ...input, lakeUri, build: codeVersion }),
    evaluateModel: async ({ force = false, ...input }) => {
      const { seed, recommendationsPerUser } = settings;
      const k = Math.min(judgedPlaces, recommendationsPerUser);
      const params = { ...input, force, lakeUri, build: codeVersion, k, seed };
      const { candidate, ...result } = await run('evaluate_model', params);
      const { modelVersion, promoted, why } = result;
      return { modelVersion, promoted, why, users: candidate.users, ndcg: candidate.ndcg };
    },
    buildGold: ({ runKey, modelVersion }) => {
      const { recommendationsPerUser, seed } = settings;
      return run('build_gold', { runKey, lakeUri, modelVersion, build: codeVersion, recommendationsPerUser, seed });
    },
    exportSnapshot: async ({ runKey, modelVersion, generatedAt, chartOnly = false }) => {
      const snapshotUri = `s3a://${lake.buckets.serving}/${lake.prefixes.snapshots}${modelVersion}`;
      const shards = settings.snapshotShards;
      const exported = await run('export_snapshot', {
        runKey,
        lakeUri,
        snapshotUri,
        modelVersion,
        generatedAt,
        chartOnly,
        shards,
      });
      const { manifestKey, manifestSha256 } = exported;
      return { modelVersion, manifestKey, manifestSha256 };
    },
  };
}

/** The identity of a job that loads these files: the identity of a single file, or a hash over all files. */
function submissionKeyOf(files: readonly PlannedFile[]): string {
  const keys = files.map((file) => bronzeFileKey(file));
  if (keys.length === 1) return keys[0]!;
  return `load_bronze/${createHash('sha256').update(keys.join('\n')).digest('hex')}`;
}

/** Runs a job with heartbeats, translates its failure by exit code and parses its result with the schema. */
export async function runSparkJob<Job extends SparkJobName>(
  options: SparkProcessOptions,
  job: Job,
  params: SparkJobParams<Job>,
  { identity }: { readonly identity?: string } = {},
): Promise<SparkJobResult<Job>> {
  const context = Context.current();
  const reporter = createProgressReporter();
  const exit = await whileHeartbeating(() =>
    runSparkProcess(options, {
      job,
      runKey: params.runKey,
      params,
      ...(identity !== undefined && { identity }),
      signal: context.cancellationSignal,
      onProgress: (spark) => reporter.report({ kind: 'spark', spark }),
    }),
  );
  refuseFailure(job, exit);
  const result = parseResult(job, exit.result);
  context.log.info('spark job done', { job, seconds: result.seconds });
  return result;
}

/** Each answer costs the store a listing and some reads: not for hundreds of files at once. */
function lookUp(
  store: ObjectStore,
  files: readonly PlannedFile[],
): Promise<Awaited<ReturnType<typeof findCommitted>>[]> {
  const limit = pLimit(askedAtOnce);
  return Promise.all(files.map((file) => limit(() => findCommitted(store, file))));
}

function refuseFailure(job: string, exit: SparkExit): void {
  if (exit.isCancelled) throw new CancelledFailure(`${job} was cancelled and has stopped`);
  if (exit.exitCode === 0) return;
  const said = exit.error;
  const message = `${job}: ${said?.message ?? exit.lastLines.at(-1) ?? 'ended without a word'}`;
  const details = [{ job, exitCode: exit.exitCode ?? null, errorType: said?.type ?? null, lastLines: exit.lastLines }];
  throw failure(failureOfExit[exit.exitCode ?? 0] ?? 'SparkJobFailed', message, { details });
}

function parseResult<Job extends SparkJobName>(job: Job, text: string | undefined): SparkJobResult<Job> {
  const parsed = sparkJobs[job].result.safeParse(text === undefined ? undefined : parseJson(text));
  // The schema was chosen by the job's name, which TypeScript cannot follow through the union.
  if (parsed.success) return parsed.data as SparkJobResult<Job>;
  throw failure(
    'SparkResultInvalid',
    `${job} ended well but its result document cannot be read: ${parsed.error.message}`,
  );
}
