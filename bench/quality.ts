import { readFile, mkdtemp, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { lake } from '../contracts/lake.ts';
import { evaluateModelResult, type SparkJobName, type SparkJobParams } from '../contracts/schemas/jobs.ts';
import { runSparkProcess } from '../activities/spark-process.ts';
import { checkCsv } from '../activities/csv-check.ts';
import { dateOf, firstWeeklyDay } from '../generators/calendar.ts';
import { oracleOf, writeOracle } from '../generators/oracle.ts';
import { defaultSeedOptions, type SeedOptions } from '../generators/options.ts';
import { createRandom } from '../generators/random.ts';
import { generateSeed } from '../generators/seed.ts';
import { buildWorld } from '../generators/world.ts';
import { ensureInstalled, type Installed } from '../stack/install/index.ts';
import { repositoryRoot } from '../stack/config.ts';
import { evaluationEnv } from '../stack/evaluation-env.ts';
import { readWorkerConfig } from '../worker/config.ts';
import { sparkProcessOptions } from '../worker/spark.ts';
import { writeResult } from './results.ts';

/** The folder of HetRec 2011's Last.fm-2k (user_artists.dat, user_friends.dat); without it that part is left out. */
const hetrecVariable = 'SEGUE_HETREC_DIR';
const splits = [1, 2, 3];
const judgedDays = 7;

/**
 * How good the recommender is: on public data by the public protocol, from pairs alone and with counts and friends; and on a
 * generated year, beside an oracle that knows the listeners' true tastes, and on one where there is no taste to know.
 */
export async function benchQuality(): Promise<void> {
  const tools = await ensureInstalled();
  const folder = await mkdtemp(join(tmpdir(), 'segue-bench-'));
  try {
    const publicData = await onPublicData(tools, folder);
    const generated = await onGeneratedYear(tools, join(folder, 'latent'), defaultSeedOptions);
    const withoutTaste = await onGeneratedYear(tools, join(folder, 'none'), { ...defaultSeedOptions, taste: 'none' });
    console.log(await writeResult('quality', { publicData, generated, withoutTaste }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const measures = z.looseObject({ recall: z.number(), ndcg: z.number(), map: z.number(), coverage: z.number() });
const report = z.object({
  users: z.number(),
  weights: z.record(z.string(), z.number()),
  seconds: z.record(z.string(), z.number()),
  measures: z.record(z.string(), measures),
});
type Report = z.infer<typeof report>;

interface PublicPair {
  readonly user: string;
  readonly item: string;
  readonly count: string;
}

/** Three random per-user 8:1:1 splits, full ranking, training and validation pairs masked, tuned on validation only. */
async function onPublicData(tools: Installed, folder: string): Promise<object | string> {
  const source = process.env[hetrecVariable];
  if (!source) return `left out: ${hetrecVariable} names no folder`;
  const pairs = (await rowsOf(join(source, 'user_artists.dat'))).map(([user, item, count]) => ({ user, item, count }));
  const friends = await rowsOf(join(source, 'user_friends.dat'));
  const social = join(folder, 'social.csv');
  await writeCsv(social, ['user_id_a', 'user_id_b'], friends);
  const runs = { pairsAlone: [] as Report[], countsAndFriends: [] as Report[] };
  for (const seed of splits) {
    const files = await writeSplit(join(folder, `split-${seed}`), pairs, seed);
    const alone = await writeSplit(
      join(folder, `split-${seed}-alone`),
      pairs.map((pair) => ({ ...pair, count: '1' })),
      seed,
    );
    runs.pairsAlone.push(await evaluate(tools, alone, []));
    runs.countsAndFriends.push(await evaluate(tools, files, ['--social', social]));
  }
  return {
    protocol: 'HetRec 2011 Last.fm-2k, per-user random 8:1:1, full ranking, train and validation masked, @10',
    splits,
    ...Object.fromEntries(Object.entries(runs).map(([name, reports]) => [name, { mean: meansOf(reports), reports }])),
  };
}

async function rowsOf(path: string): Promise<[string, string, string][]> {
  const lines = (await readFile(path, 'utf8')).trim().split('\n').slice(1);
  return lines.map((line) => {
    const [first = '', second = '', third = ''] = line.trim().split('\t');
    return [first, second, third];
  });
}

async function writeSplit(folder: string, pairs: readonly PublicPair[], seed: number): Promise<string> {
  await mkdir(folder, { recursive: true });
  const parts = { train: [] as string[][], valid: [] as string[][], test: [] as string[][] };
  for (const mine of byUser(pairs).values()) {
    const mixed = shuffled(mine, seed);
    const tenth = mixed.length < 3 ? 0 : Math.max(1, Math.round(mixed.length / 10));
    mixed.forEach(({ user, item, count }, place) => {
      const part = place < tenth ? 'test' : place < 2 * tenth ? 'valid' : 'train';
      parts[part].push([user, item, count]);
    });
  }
  for (const [part, rows] of Object.entries(parts))
    await writeCsv(join(folder, `${part}.csv`), ['user_id', 'item_id', 'count'], rows);
  return folder;
}

function byUser(pairs: readonly PublicPair[]): Map<string, PublicPair[]> {
  const found = new Map<string, PublicPair[]>();
  for (const pair of pairs) found.set(pair.user, [...(found.get(pair.user) ?? []), pair]);
  return found;
}

function shuffled(pairs: readonly PublicPair[], seed: number): PublicPair[] {
  const random = createRandom(seed, `split/${pairs[0]!.user}`);
  return pairs
    .map((pair) => ({ pair, draw: random.next() }))
    .toSorted((one, other) => one.draw - other.draw)
    .map(({ pair }) => pair);
}

function writeCsv(path: string, header: readonly string[], rows: readonly (readonly string[])[]): Promise<void> {
  const lines = [header.join(','), ...rows.map((row) => row.slice(0, header.length).join(','))];
  return writeFile(path, `${lines.join('\n')}\n`);
}

async function evaluate(tools: Installed, folder: string, more: readonly string[]): Promise<Report> {
  const of = (name: string): string => join(folder, name);
  const files = ['--train', of('train.csv'), '--valid', of('valid.csv'), '--test', of('test.csv'), ...more];
  const outputs = ['--k', '10', '--out', of('recs.csv'), '--report', of('report.json')];
  await execa(tools.python, [join(repositoryRoot, 'spark-submit', 'jobs', 'evaluate_files.py'), ...files, ...outputs], {
    env: evaluationEnv(tools.python),
    extendEnv: false,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return report.parse(JSON.parse(await readFile(of('report.json'), 'utf8')));
}

function meansOf(reports: readonly Report[]): Record<string, Record<string, number>> {
  const names = Object.keys(reports[0]!.measures);
  const mean = (name: string, of: 'recall' | 'ndcg' | 'map' | 'coverage'): number =>
    reports.reduce((sum, { measures: found }) => sum + found[name]![of], 0) / reports.length;
  return Object.fromEntries(
    names.map((name) => [
      name,
      {
        recall: mean(name, 'recall'),
        ndcg: mean(name, 'ndcg'),
        map: mean(name, 'map'),
        coverage: mean(name, 'coverage'),
      },
    ]),
  );
}

/** The jobs of the pipeline over a generated year, in a lake of folders; judged on its last week. */
async function onGeneratedYear(tools: Installed, folder: string, options: SeedOptions): Promise<object> {
  const data = join(folder, 'landing');
  await generateSeed(options, data);
  const oracle = join(folder, 'oracle.json');
  await writeOracle(oracle, oracleOf(buildWorld(options), firstWeeklyDay - judgedDays, judgedDays));
  const shared = { runKey: 'bench', lakeUri: `file://${folder}/lake` };
  const files = await filesOf(data);
  await submit(tools, 'load_bronze', { ...shared, ingestedAt: '2025-01-01T00:00:00Z', files });
  const step = { build: 'bench', force: true, checkedAt: '2025-01-01T00:00:00Z' };
  await submit(tools, 'build_silver', { ...shared, ...step, weekEndsOn: 'tuesday' });
  const evaluation: SparkJobParams<'evaluate_model'> = {
    ...shared,
    modelVersion: 'bench',
    evaluatedAt: '2025-01-01T00:00:00Z',
    build: step.build,
    force: step.force,
    k: 10,
    seed: 42,
    oracleUri: `file://${oracle}`,
  };
  const result = evaluateModelResult.parse(JSON.parse(await submit(tools, 'evaluate_model', evaluation)));
  const { candidate, baselines, promoted, why, weights, seconds } = result;
  return {
    options,
    judged: [dateOf(firstWeeklyDay - judgedDays), dateOf(firstWeeklyDay - 1)],
    overGenrePopularity: candidate.ndcg / baselines['genre_popularity']!.ndcg,
    shareOfOracle: candidate.ndcg / result.oracle!.ndcg,
    ...{ candidate, baselines, oracle: result.oracle, promoted, why, weights, seconds },
  };
}

async function filesOf(data: string): Promise<SparkJobParams<'load_bronze'>['files']> {
  const found: SparkJobParams<'load_bronze'>['files'] = [];
  for (const dataset of lake.datasets) {
    const file = dataset.table === 'fact_listening_events' ? 'fact_listening_events_2024.csv' : `${dataset.table}.csv`;
    const path = join(data, file);
    await stat(path);
    const { rows } = await checkCsv(path, { multiLine: dataset.multiLine });
    found.push({ file, table: dataset.table, uri: `file://${path}`, key: `bench/${file}`, rows });
  }
  return found;
}

async function submit<Job extends SparkJobName>(
  tools: Installed,
  job: Job,
  params: SparkJobParams<Job>,
): Promise<string> {
  const config = readWorkerConfig({
    SEGUE_SPARK_MASTER: 'local[*]',
    SEGUE_SPARK_SUBMIT: tools.sparkSubmit,
    SEGUE_SPARK_JARS: tools.sparkJarsDir,
    SEGUE_PYTHON: tools.python,
    SEGUE_S3_ACCESS_KEY: 'none',
    SEGUE_S3_SECRET_KEY: 'none',
  });
  const options = sparkProcessOptions(config);
  const own = { SPARK_HOME: tools.sparkHome, SPARK_LOCAL_IP: '127.0.0.1', SPARK_DRIVER_MEMORY: '3g' };
  console.log(`${job} …`);
  const exit = await runSparkProcess(
    { ...options, env: { ...options.env, ...own } },
    { job, runKey: params.runKey, params, signal: new AbortController().signal, onProgress: () => undefined },
  );
  if (exit.exitCode === 0 && exit.result !== undefined) return exit.result;
  throw new Error(`${job} failed: ${exit.error?.message ?? exit.lastLines.join('\n')}`);
}
