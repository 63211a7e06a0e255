import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { initialLoadId, streamEventsId } from '../contracts/ids.ts';
import type { InitialDataLoadResult } from '../contracts/runs.ts';
import type { WeeklyTrendsResult } from '../contracts/weekly.ts';
import { boot, type Booted } from './boot.ts';
import { readStackSettings, type StackSettings } from './config.ts';
import { claimDataDir, refuseMissingFolder } from './data-dir.ts';
import { demoDataSteps } from './demo-data.ts';
import { loopback } from './environment.ts';
import { StackError, throwIfInterrupted } from './errors.ts';
import { chooseServices } from './external.ts';
import { runMain, untilGiven, type Interrupts } from './interrupts.ts';
import { runInitialLoad, runWeeklyTrends } from './load.ts';
import { secretFiles } from './secrets.ts';
import { probeHttp } from './services/probes.ts';
import { formatSeconds, runSteps, type Step, type StepTime } from './steps.ts';
import { keepStreaming } from './streams.ts';
import { logFile } from './supervisor/records.ts';

const usage = `npm start [-- --data DIR | --full]

  --data DIR   loads your own landing CSVs; nothing is generated
  --full       generates all 366 days of demo data instead of 90`;

const quickDays = 90;
const fullDays = 366;
const readyWithinMs = 180_000;
const initialStep = 'initialDataLoad';
const weeklyStep = 'weeklyTrendsIngestion';

await runMain(async (interrupts) => {
  const { values } = parseCommand();
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const settings = await settingsFor(values.data);
  const days = values.full ? fullDays : quickDays;
  const beside = values.data ? [] : await demoDataSteps(settings.dataDir, days);
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
  if ('failure' in outcome) console.log(describeUnready(settings, outcome.failure));
  else console.log(describeReady(settings, outcome.results, [...booted.times, ...outcome.times]));
  // Also after a failure: what was published before is still served, and the Web UI shows what went wrong.
  await untilGiven(interrupts.stop);
  return 'failure' in outcome ? 1 : 0;
}

interface Loaded {
  readonly initial: InitialDataLoadResult;
  readonly weekly: WeeklyTrendsResult;
}

type LoadOutcome = { readonly results: Loaded; readonly times: readonly StepTime[] } | { readonly failure: string };

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
  const serving: Step = {
    title: 'API ready',
    after: [ingesting],
    run: (report, stop) => untilServed(`http://${loopback(settings.ports.api)}/readyz`, report, stop),
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
    const times = await runSteps([loading, ingesting, serving, streaming], { signal });
    return initial && weekly ? { results: { initial, weekly }, times } : { failure: 'a load ended without a result' };
  } catch (error) {
    if (error instanceof StackError) return { failure: error.message };
    throw error;
  }
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

function describeUnready(settings: StackSettings, failure: string): string {
  const { ports, stateDir } = settings;
  return [
    '',
    `not ready: ${failure}`,
    '',
    `The run:  http://${loopback(ports.temporalUi)}/namespaces/default/workflows/${initialLoadId}`,
    `The logs: ${logFile(stateDir, 'worker')}, ${logFile(stateDir, 'spark')}`,
    'The services stay up to look at; what was published before is still served. Once it is mended:',
    `  npm run temporal -- workflow start --task-queue segue --type initialDataLoad --workflow-id ${initialLoadId}`,
    'or Ctrl-C and "npm start" again.',
  ].join('\n');
}

function initialTimes({ seconds: { check, upload, bronze } }: InitialDataLoadResult): readonly StepTime[] {
  return timesOf({ 'check files': check, upload, 'load bronze': bronze });
}

function weeklyTimes({ seconds: { discover, check, bronze, refresh } }: WeeklyTrendsResult): readonly StepTime[] {
  const ingest = discover + check + bronze;
  return timesOf({ 'find, check, load the weeks': ingest, 'refresh recommendations': refresh });
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
