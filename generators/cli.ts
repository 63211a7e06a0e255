/** `npm run generate -- seed | weekly`; options and files are described in README.md. */
import { parseArgs } from 'node:util';
import { SingleBar } from 'cli-progress';
import { defaultSeedOptions, OptionError, type SeedOptions } from './options.ts';
import { generateSeed, type GenerationProgress } from './seed.ts';
import { generateWeekly, truncateWeekly } from './weekly.ts';

const usage = `Usage:
  npm run generate -- seed [--days N] [--users N] [--songs N] [--events-per-day N] [--seed S] [--out DIR]
  npm run generate -- weekly [--count N] [--truncate] [--out DIR]`;

const commands: Readonly<Record<string, (args: string[]) => Promise<void>>> = { seed, weekly };

try {
  const [name = '', ...args] = process.argv.slice(2);
  const command = commands[name];
  if (!command) throw new OptionError(`there is no generate ${name}\n${usage}`);
  await command(args);
} catch (error) {
  if (!(error instanceof OptionError || isArgumentError(error))) throw error;
  console.error((error as Error).message);
  process.exitCode = 2;
}

async function seed(args: string[]): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args,
    options: { days: text, users: text, songs: text, 'events-per-day': text, seed: text, out: text },
  });
  const options: SeedOptions = {
    days: numberOf(values.days, defaultSeedOptions.days),
    users: numberOf(values.users, defaultSeedOptions.users),
    songs: numberOf(values.songs, defaultSeedOptions.songs),
    eventsPerDay: numberOf(values['events-per-day'], defaultSeedOptions.eventsPerDay),
    seed: numberOf(values.seed, defaultSeedOptions.seed),
  };
  const out = outFolder(values.out);
  await withBar((onProgress) => generateSeed(options, out, onProgress));
  console.log(`${options.days * options.eventsPerDay} events of ${options.days} days are in ${out}`);
}

async function weekly(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { count: { type: 'string' }, truncate: { type: 'boolean' }, out: { type: 'string' } },
  });
  const out = outFolder(values.out);
  if (values.truncate) {
    console.log(`${await truncateWeekly(out)} weekly file(s) removed from ${out}`);
    return;
  }
  const count = numberOf(values.count, 1);
  if (!Number.isSafeInteger(count) || count < 1) throw new OptionError(`--count must be a whole number of at least 1`);
  const files = await withBar((onProgress) => generateWeekly({ count, out }, onProgress));
  for (const file of files) console.log(file);
}

function outFolder(out: string | undefined): string {
  return out ?? process.env['SEGUE_DATA_DIR'] ?? 'generated_data';
}

function numberOf(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : Number(text);
}

async function withBar<Result>(
  work: (onProgress: (progress: GenerationProgress) => void) => Promise<Result>,
): Promise<Result> {
  const bar = new SingleBar({
    format: '{bar} {percentage} % | {value}/{total} events | {duration_formatted}',
    hideCursor: true,
    noTTYOutput: false,
  });
  bar.start(1, 0);
  try {
    return await work(({ events, totalEvents }) => {
      bar.setTotal(totalEvents);
      bar.update(events);
    });
  } finally {
    bar.stop();
  }
}

function isArgumentError(error: unknown): boolean {
  return error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}
