import { existsSync } from 'node:fs';
import { z } from 'zod';
import type { WeeklyEntry } from '../contracts/schemas/ledger.ts';
import { readConfig } from '../platform/config.ts';
import { processSettings } from '../platform/process-settings.ts';
import { createObjectStore } from '../platform/object-store.ts';
import { createWeeklyLedger, type WeeklyLedger } from '../platform/weekly-ledger.ts';
import { readStackSettings } from './config.ts';
import { loopback, temporalOf } from './environment.ts';
import { StackError } from './errors.ts';
import { runMain } from './interrupts.ts';
import { secretFiles } from './secrets.ts';

const usage = `npm run ledger -- list | reset [FILE]

  list          where each week stands: its rows, its table version, the run that ingested it
  reset FILE    has the next weeklyTrendsIngestion read that file again, e.g. trends_2025-01-07.csv
  reset         the same for every file; the tables end the same, nothing is doubled`;

const headings = ['file', 'state', 'rows', 'bronze', 'quarantined', 'version', 'content', 'recorded at', 'run'];
const widths = [22, 9, 9, 9, 11, 7, 12, 24, 0];

/** `npm run ledger`: the weekly ingestion's ledger, of the embedded stack or of the store that SEGUE_S3_* names. */
await runMain(async () => {
  const [command, file, ...more] = process.argv.slice(2);
  if (more.length > 0 || (command === 'list' && file !== undefined)) throw new StackError(usage);
  switch (command) {
    case 'list':
      return list(openLedger());
    case 'reset':
      return reset(openLedger(), file);
    case '--help':
    case '-h':
      console.log(usage);
      return 0;
    default:
      throw new StackError(usage);
  }
});

function openLedger(): WeeklyLedger {
  const { ports, secretsDir } = readStackSettings(process.env);
  const { minioUser, minioPass } = secretFiles(secretsDir);
  const own = { SEGUE_S3_ENDPOINT: `http://${loopback(ports.minio)}`, ...keyFiles(minioUser, minioPass) };
  const given = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value));
  const config = readConfig(z.object(processSettings), { ...own, ...given });
  return createWeeklyLedger(
    createObjectStore({
      endpoint: config.SEGUE_S3_ENDPOINT,
      region: config.SEGUE_S3_REGION,
      accessKey: config.SEGUE_S3_ACCESS_KEY,
      secretKey: config.SEGUE_S3_SECRET_KEY,
    }),
  );
}

/** The credentials of this checkout's own stack, unless the environment has credentials. */
function keyFiles(minioUser: string, minioPass: string): Record<string, string> {
  const { SEGUE_S3_ACCESS_KEY: user, SEGUE_S3_ACCESS_KEY_FILE: userFile } = process.env;
  if (user || userFile) return {};
  if (!existsSync(minioUser)) throw new StackError(`${minioUser} is not there: start the stack once (npm start).`);
  return { SEGUE_S3_ACCESS_KEY_FILE: minioUser, SEGUE_S3_SECRET_KEY_FILE: minioPass };
}

async function list(ledger: WeeklyLedger): Promise<number> {
  const entries = await ledger.list();
  if (entries.length === 0) console.log('no weekly file has been ingested yet');
  else console.log([headings, ...entries.map(describe)].map(toLine).join('\n'));
  return 0;
}

function describe(entry: WeeklyEntry): string[] {
  const { file, outcome, rows, bronze, quarantined, tableVersion, sha256, recordedAt, workflowId } = entry;
  const state = outcome === 'reset' ? 'to read' : outcome;
  const figures = [rows, bronze, quarantined, tableVersion ?? '–'].map(String);
  return [file, state, ...figures, sha256.slice(0, 12), recordedAt, workflowId];
}

function toLine(cells: readonly string[]): string {
  return cells
    .map((cell, index) => cell.padEnd(widths[index]!))
    .join('  ')
    .trimEnd();
}

async function reset(ledger: WeeklyLedger, file: string | undefined): Promise<number> {
  const entries = (await ledger.list()).filter((entry) => file === undefined || entry.file === file);
  if (file !== undefined && entries.length === 0) {
    throw new StackError(`${file} is not in the ledger; npm run ledger -- list shows what is.`);
  }
  const wasReset = await Promise.all(entries.map(({ weekEnd }) => ledger.reset(weekEnd, new Date())));
  const count = wasReset.filter(Boolean).length;
  console.log(`${count} file(s) will be read again by the next weeklyTrendsIngestion:`);
  const { taskQueue } = temporalOf(process.env);
  console.log(
    `  npm run temporal -- workflow start --task-queue ${taskQueue} --type weeklyTrendsIngestion --workflow-id w1`,
  );
  return 0;
}
