import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { initialLoadId, refreshId, streamEventsId, workflowTypes } from '../contracts/ids.ts';
import type { InitialDataLoadResult, RefreshResult } from '../contracts/runs.ts';
import type { WeeklyTrendsResult } from '../contracts/weekly.ts';
import { boot, type Booted } from './boot.ts';
import { readStackSettings, type StackSettings } from './config.ts';
import { claimDataDir, refuseMissingFolder } from './data-dir.ts';
import { demoDataSteps } from './demo-data.ts';
import { loopback, temporalOf, type TemporalTarget } from './environment.ts';
import { Interrupted, StackError, throwIfInterrupted } from './errors.ts';
import { chooseServices } from './external.ts';
import { runMain, untilGiven, type Interrupts } from './interrupts.ts';
import { RunFailed, runInitialLoad, runRefresh, runWeeklyTrends } from './load.ts';
import { secretFiles } from './secrets.ts';
import { probeHttp } from './services/probes.ts';
import { formatSeconds, runSteps, type Step, type StepTime } from './steps.ts';
import { keepStreaming } from './streams.ts';
import { logFile } from './supervisor/records.ts';

const usage = `npm start [-- --data DIR | --full]

  --data DIR   loads your own landing CSVs; nothing is generated
  --full       generates all 366 days of demo data instead of 90`;

const fullDays = 366;
const readyWithinMs = 180_000;
/** A refresh without new data ends within this time. If a snapshot is served, `npm start` does not wait longer. */
const nothingNewWithinMs = 5_000;
const initialRun = { type: workflowTypes.initialDataLoad, workflowId: initialLoadId };
const initialStep = 'initialDataLoad';
const weeklyStep = 'weeklyTrendsIngestion';

await runMain(async (interrupts) => {
  const { values } = parseCommand();
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const settings = await settingsFor(values.data);
  const beside = values.data ? [] : await demoDataSteps(settings.dataDir, values.full ? fullDays : undefined);
  const booted = await boot({
    settings,
    choice: chooseServices(process.env),
    interrupts,
    beside,
  });
  try {
    return await loadAndServe(settings, booted, interrupts);
  } finally {
    console.log('stopping …');
    await booted.supervisor.stop(interrupts.hurry);
    console.log('stopped');
  }
});

function parseCommand() {
  try {
    const parsed = parseArgs({
      options: {
        data: { type: 'string' },
        full: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (parsed.values.data !== undefined && parsed.values.full) throw new Error('--data and --full exclude each other');
    return parsed;
  } catch (error) {
    throw new StackError(`${(error as Error).message}\n\n${usage}`, { cause: error });
  }
}

async function settingsFor(data: string | undefined): Promise<StackSettings> {
  const settings = readStackSettings(process.env);
  // npm runs scripts in the package's folder; a relative path means the folder the user stands in.
  const standsIn = process.env['INIT_CWD'] ?? process.cwd();
  const dataDir = data === undefined ? settings.dataDir : resolve(standsIn, data);
  if (data !== undefined) await refuseMissingFolder(dataDir);
  await claimDataDir(settings.stateDir, dataDir);
  return { ...settings, dataDir };
}

/** From services that run to recommendations that are served, and on until the user stops it. */
async function loadAndServe(settings: StackSettings, booted: Booted, interrupts: Interrupts): Promise<number> {
  const outcome = await load(booted, settings, interrupts.stop);
  if ('failure' in outcome) console.log(describeUnready(settings, temporalOf(booted.env), outcome));
  else console.log(describeReady(settings, outcome.results, [...booted.times, ...outcome.times]));
  // Also after a failure: the API still serves the former snapshot, and the Web UI shows the failure.
  await untilGiven(interrupts.stop);
  return 'failure' in outcome ? 1 : 0;
}

interface Loaded {
  readonly initial: InitialDataLoadResult;
  readonly weekly: WeeklyTrendsResult;
}

/** The reason why the start is not ready, and the run that it concerns. */
interface Unready {
  readonly failure: string;
  readonly run: RunFailed['run'];
}

type LoadOutcome = { readonly results: Loaded; readonly times: readonly StepTime[] } | Unready;

async function load(booted: Booted, settings: StackSettings, signal: AbortSignal): Promise<LoadOutcome> {
  let initial: InitialDataLoadResult | undefined;
  let weekly: WeeklyTrendsResult | undefined;
  const loading: Step = {
    title: initialStep,
    run: async (report, stop) => {
      initial = await runInitialLoad(booted.env, report, stop);
      return `${initial.rows.inFiles.toLocaleString('en')} rows in ${initial.files.length} files`;
    },
  };
  const ingesting: Step = {
    title: weeklyStep,
    after: [loading],
    run: async (report, stop) => {
      weekly = await runWeeklyTrends(booted.env, report, stop);
      return `${weekly.rows.inFiles.toLocaleString('en')} rows in ${weekly.weeks.length} new file(s), ${weekly.known} known`;
    },
  };
  const readyUrl = `http://${loopback(settings.ports.api)}/readyz`;
  const refreshing: Step = {
    title: 'refreshRecommendations',
    after: [ingesting],
    run: (report, stop) => refreshOrServe(booted.env, { readyUrl, report, stop }),
  };
  const serving: Step = {
    title: 'API ready',
    after: [refreshing],
    run: (report, stop) => untilServed(readyUrl, report, stop),
  };
  const streaming: Step = {
    title: 'live streams',
    after: [loading],
    run: async () => {
      await keepStreaming(booted.env);
      return 'started; the first events are in the lake in about a minute';
    },
  };
  try {
    const times = await runSteps([loading, ingesting, refreshing, serving, streaming], { signal });
    if (initial && weekly) return { results: { initial, weekly }, times };
    return { failure: 'a load ended without a result', run: initialRun };
  } catch (error) {
    if (!(error instanceof StackError)) throw error;
    return { failure: error.message, run: error instanceof RunFailed ? error.run : initialRun };
  }
}

/**
 * `npm start` waits for the first refresh. Later refreshes run in the background while the API serves the former
 * snapshot.
 */
async function refreshOrServe(
  env: Readonly<Record<string, string>>,
  { readyUrl, report, stop }: { readyUrl: string; report: (detail: string) => void; stop: AbortSignal },
): Promise<string> {
  const isServed = await probeHttp(readyUrl).then(
    () => true,
    // Not ready is an answer, too.
    () => false,
  );
  const leave = isServed ? AbortSignal.any([stop, AbortSignal.timeout(nothingNewWithinMs)]) : stop;
  try {
    return describeRefresh(await runRefresh(env, report, leave));
  } catch (error) {
    if (!(error instanceof Interrupted) || stop.aborted) throw error;
    void tellOfRefresh(env, stop);
    return `something is new: ${refreshId} goes on by itself, what was published before is served`;
  }
}

/** How the refresh ended that was left to go on by itself. */
async function tellOfRefresh(env: Readonly<Record<string, string>>, stop: AbortSignal): Promise<void> {
  try {
    console.log(`refreshRecommendations: ${describeRefresh(await runRefresh(env, () => undefined, stop))}`);
  } catch (error) {
    if (stop.aborted) return;
    const { message } = error as Error;
    console.log(`refreshRecommendations failed: ${message}\nWhat was published before is still served.`);
  }
}

function describeRefresh({ outcome, modelVersion, why }: RefreshResult): string {
  if (outcome === 'unchanged') return `nothing new; ${modelVersion} is served`;
  return [outcome, modelVersion, ...(why ? [why] : [])].join(', ');
}

async function untilServed(url: string, report: (detail: string) => void, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + readyWithinMs;
  let reason = '';
  while (Date.now() < deadline) {
    throwIfInterrupted(signal);
    try {
      return await probeHttp(url);
    } catch (error) {
      reason = (error as Error).message;
      report(reason);
    }
    await sleep(250);
  }
  throw new StackError(`the API did not become ready within ${readyWithinMs / 1000} s: ${reason}`);
}

function describeUnready(settings: StackSettings, temporal: TemporalTarget, { failure, run }: Unready): string {
  const { ports, stateDir } = settings;
  return [
    '',
    `not ready: ${failure}`,
    '',
    `The run:  http://${loopback(ports.temporalUi)}/namespaces/${temporal.namespace}/workflows/${run.workflowId}`,
    `The logs: ${logFile(stateDir, 'worker')}, ${logFile(stateDir, 'spark')}`,
    'The services stay up to look at; what was published before is still served. Once it is mended:',
    `  npm run temporal -- workflow start --task-queue ${temporal.taskQueue} --type ${run.type} --workflow-id ${run.workflowId}`,
    'or Ctrl-C and "npm start" again.',
  ].join('\n');
}

function initialTimes({ seconds: { check, upload, bronze } }: InitialDataLoadResult): readonly StepTime[] {
  return timesOf({ 'check files': check, upload, 'load bronze': bronze });
}

function weeklyTimes({ seconds: { discover, check, bronze } }: WeeklyTrendsResult): readonly StepTime[] {
  return timesOf({ 'find the weeks': discover, 'check them': check, 'load bronze': bronze });
}

function timesOf(parts: Readonly<Record<string, number>>): readonly StepTime[] {
  return Object.entries(parts).map(([title, seconds]) => ({ title: `  ${title}`, seconds }));
}

function describeReady(settings: StackSettings, { initial, weekly }: Loaded, times: readonly StepTime[]): string {
  const { ports, secretsDir } = settings;
  const rows = times.flatMap((time) => {
    if (time.title === initialStep) return [time, ...initialTimes(initial)];
    return time.title === weeklyStep ? [time, ...weeklyTimes(weekly)] : [time];
  });
  const api = `http://${loopback(ports.api)}`;
  return [
    '',
    ...rows.map(({ title, seconds }) => `${title.padEnd(28)} ${formatSeconds(seconds).padStart(10)}`),
    '',
    ...weekly.waiting.map(
      ({ file, type, reviewId }) => `${file} was left out and waits for a person (${type}): ${reviewId}`,
    ),
    `page and API    ${api}    description ${api}/docs`,
    `Temporal Web UI http://${loopback(ports.temporalUi)}`,
    `MinIO console   http://${loopback(ports.minioConsole)}    user and password in ${secretFiles(secretsDir).minioUser}, minio_pass.txt`,
    `Spark UI        http://${loopback(ports.sparkUi)}`,
    `live streams    npm run temporal -- workflow query --workflow-id ${streamEventsId} --name progress`,
    '',
    `  curl ${api}/recommendations/1`,
    '',
    'ready',
  ].join('\n');
}
