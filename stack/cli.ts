import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { spawn } from 'node:child_process';
import { boot } from './boot.ts';
import { readStackSettings, type StackSettings } from './config.ts';
import { claimDataDir, ownedDataDir } from './data-dir.ts';
import { examine, formatFinding } from './doctor.ts';
import { stopStack } from './down.ts';
import { StackError } from './errors.ts';
import { chooseServices } from './external.ts';
import { jarSets, lockJars, type JarSetName } from './install/jars.ts';
import { findMaven, required } from './install/prerequisites.ts';
import { runMain, untilGiven, type Interrupts } from './interrupts.ts';
import { deleteState } from './reset.ts';
import { formatReport, reportStack } from './status.ts';

const usage = `npm run stack -- COMMAND

  up [--detach]      starts every service and stays until Ctrl-C; --detach returns once all are up
  down               stops the stack of this state folder, whoever started it
  status [--json]    what runs, where, for how long
  doctor             looks for what is missing on this machine
  reset [--yes] [--secrets]
                     stops the stack and deletes its data; --secrets deletes the credentials too
  lock-jars          pins the jars' checksums anew, after a wanted change of a pom.xml`;

await runMain(async (interrupts) => {
  const { positionals, values } = parseCommand();
  const settings = readStackSettings(process.env);
  switch (positionals[0]) {
    case 'up':
      return values.detach ? upDetached(interrupts) : up(settings, interrupts);
    case 'down':
      return down(settings);
    case 'status':
      return status(settings, values.json);
    case 'doctor':
      return doctor(settings);
    case 'reset':
      return reset(settings, values);
    case 'lock-jars':
      return pinJars();
    case undefined:
      console.log(usage);
      return values.help ? 0 : 1;
    default:
      throw new StackError(`There is no command "${positionals[0]}".\n\n${usage}`);
  }
});

function parseCommand() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        detach: { type: 'boolean', short: 'd', default: false },
        json: { type: 'boolean', default: false },
        yes: { type: 'boolean', short: 'y', default: false },
        secrets: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new StackError(`${(error as Error).message}\n\n${usage}`, { cause: error });
  }
}

async function up(asked: StackSettings, interrupts: Interrupts): Promise<number> {
  // A state folder keeps its data directory. A request for a different data directory is refused.
  const dataDir = process.env['SEGUE_DATA_DIR']
    ? asked.dataDir
    : ((await ownedDataDir(asked.stateDir)) ?? asked.dataDir);
  const settings = { ...asked, dataDir };
  await claimDataDir(settings.stateDir, dataDir);
  const { supervisor } = await boot({ settings, choice: chooseServices(process.env), interrupts });
  console.log(`\n${formatReport(reportStack(settings.stateDir))}\n\nup; Ctrl-C or "npm run stack -- down" stops it`);
  // Lets a parent that waits for us (--detach) know that all is well.
  process.send?.('up');
  await untilGiven(interrupts.stop);
  console.log('stopping …');
  await supervisor.stop(interrupts.hurry);
  console.log('stopped');
  return 0;
}

/** Starts `up` in a session of its own and returns when it is up; its output goes on to the terminal until then. */
async function upDetached(interrupts: Interrupts): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', 'up'], {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  interrupts.stop.addEventListener('abort', () => child.kill('SIGTERM'), { once: true });
  return new Promise((resolve) => {
    child.once('message', () => {
      child.disconnect();
      child.unref();
      resolve(0);
    });
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

async function down({ stateDir }: StackSettings): Promise<number> {
  const count = await stopStack(stateDir);
  console.log(count === 0 ? `Nothing was running in ${stateDir}.` : `Stopped ${count} services.`);
  return 0;
}

async function status({ stateDir }: StackSettings, asJson: boolean): Promise<number> {
  const report = reportStack(stateDir);
  console.log(asJson ? JSON.stringify(report, null, 2) : formatReport(report));
  return 0;
}

async function doctor(settings: StackSettings): Promise<number> {
  const findings = await examine(settings, process.env);
  for (const finding of findings) console.log(formatFinding(finding));
  return findings.every(({ isFit }) => isFit) ? 0 : 1;
}

async function reset(
  settings: StackSettings,
  { yes, secrets }: { readonly yes: boolean; readonly secrets: boolean },
): Promise<number> {
  const { stateDir, secretsDir } = settings;
  const also = secrets ? ` and the credentials in ${secretsDir}` : '';
  const question = `This stops the stack and deletes its tables, runs, topics, waiting events and logs in ${stateDir}${also}. Go on? [y/N] `;
  if (!yes && !(await isAffirmed(question))) {
    console.log('Nothing was deleted.');
    return 1;
  }
  await stopStack(stateDir);
  const left = await deleteState({ stateDir, secretsDir, withSecrets: secrets });
  const state = left.length === 0 ? 'is empty' : `holds only what the stack did not write (${left.join(', ')})`;
  const credentials = secrets ? `, the credentials in ${secretsDir} are gone` : '';
  console.log(`${stateDir} ${state}${credentials}; landing CSVs were not touched.`);
  return 0;
}

async function isAffirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new StackError('reset asks before it deletes: give --yes where nobody can answer.');
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question(question)).trim());
  } finally {
    terminal.close();
  }
}

async function pinJars(): Promise<number> {
  const maven = await findMaven();
  if (!maven.found) throw new StackError('lock-jars needs Maven 3.8 or newer on PATH.');
  for (const name of Object.keys(jarSets) as JarSetName[]) {
    const folder = await mkdtemp(join(tmpdir(), 'segue-jars-'));
    try {
      console.log(`wrote ${await lockJars(name, required(maven), folder)}`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  return 0;
}
