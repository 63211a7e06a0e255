/** `npm run generate -- seed | weekly | import`; options and files are described in README.md. */
import { parseArgs } from 'node:util';
import { SingleBar } from 'cli-progress';
import { rules } from '../contracts/acceptance/rules.ts';
import { parseTime, timeRange, type TimeRange } from '../contracts/acceptance/time.ts';
import { dayOf } from './calendar.ts';
import { parseColumnMap, readLastfm1k, readListenBrainz, readMappedCsv } from './importers/formats.ts';
import { describeSkips, importListens } from './importers/import.ts';
import type { SourceRecord } from './importers/source.ts';
import { oracleOf, writeOracle } from './oracle.ts';
import { defaultSeedOptions, OptionError, type SeedOptions } from './options.ts';
import { generateSeed, type GenerationProgress } from './seed.ts';
import { readState } from './state.ts';
import { generateWeekly, truncateWeekly } from './weekly.ts';
import { buildWorld } from './world.ts';

const usage = `Usage:
  npm run generate -- seed [--days N] [--users N] [--songs N] [--events-per-day N] [--seed S] [--taste latent|none] [--out DIR]
  npm run generate -- weekly [--count N] [--truncate] [--out DIR]
  npm run generate -- oracle --from YYYY-MM-DD [--days N] --file FILE [--out DIR]
  npm run generate -- import lastfm-1k FILE [--encoding NAME] [--out DIR]
  npm run generate -- import listenbrainz FILE [--out DIR]
  npm run generate -- import csv FILE --map user_id=COL,track=COL,artist=COL,timestamp=COL[,track_id=COL,artist_id=COL,event_type=COL,genre=COL,duration_ms=COL] [--encoding NAME] [--out DIR]`;

const commands: Readonly<Record<string, (args: string[]) => Promise<void>>> = {
  seed,
  weekly,
  oracle,
  import: importExport,
};

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
    options: { days: text, users: text, songs: text, 'events-per-day': text, seed: text, taste: text, out: text },
  });
  const options: SeedOptions = {
    days: numberOf(values.days, defaultSeedOptions.days),
    users: numberOf(values.users, defaultSeedOptions.users),
    songs: numberOf(values.songs, defaultSeedOptions.songs),
    eventsPerDay: numberOf(values['events-per-day'], defaultSeedOptions.eventsPerDay),
    seed: numberOf(values.seed, defaultSeedOptions.seed),
    taste: tasteOf(values.taste),
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

/** Writes the generator's own knowledge about the listeners of a generated folder: an upper bound for a model. */
async function oracle(args: string[]): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ args, options: { from: text, days: text, file: text, out: text } });
  if (values.from === undefined || values.file === undefined)
    throw new OptionError(`oracle needs --from and --file\n${usage}`);
  const firstDay = dayOf(values.from);
  if (!Number.isSafeInteger(firstDay)) throw new OptionError(`--from must be a date YYYY-MM-DD, not ${values.from}`);
  const { options } = await readState(outFolder(values.out));
  await writeOracle(values.file, oracleOf(buildWorld(options), firstDay, numberOf(values.days, 7)));
  console.log(values.file);
}

async function importExport(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { map: { type: 'string' }, encoding: { type: 'string' }, out: { type: 'string' } },
  });
  const [format = '', file = '', ...more] = positionals;
  if (file === '' || more.length > 0) throw new OptionError(`import takes a format and one file\n${usage}`);
  const out = outFolder(values.out);
  const records = recordsOf(format, file, values);
  const range = takenTimes();
  const report = await withBar((onProgress) =>
    importListens(file, records, {
      out,
      range,
      onRecords: (read) => onProgress({ events: read, totalEvents: read }),
    }),
  );
  console.log(
    `${report.taken} of ${report.records} records taken: ${report.users} users, ${report.tracks} tracks, ` +
      `${report.firstListen} to ${report.lastListen}`,
  );
  console.log(`skipped: ${describeSkips(report.skipped)}`);
  console.log(`the files and import_report.json are in ${out}`);
}

/** The times of listens that are taken now, by the setting that the doors of the pipeline have. */
function takenTimes(): TimeRange {
  const earliest = process.env['SEGUE_EARLIEST_LISTEN'] || rules.time.earliest;
  if (parseTime(earliest) !== undefined) return timeRange(earliest, new Date());
  throw new OptionError(
    `SEGUE_EARLIEST_LISTEN must be an ISO 8601 time such as ${rules.time.earliest}, not ${earliest}`,
  );
}

interface SourceOptions {
  readonly map?: string | undefined;
  readonly encoding?: string | undefined;
}

function recordsOf(format: string, file: string, { map, encoding }: SourceOptions): AsyncIterable<SourceRecord> {
  switch (format) {
    case 'lastfm-1k':
      return readLastfm1k(file, encoding);
    case 'listenbrainz':
      if (encoding !== undefined) throw new OptionError('--encoding is for lastfm-1k and csv: JSON is UTF-8');
      return readListenBrainz(file);
    case 'csv':
      if (map === undefined) throw new OptionError(`import csv needs --map\n${usage}`);
      return readMappedCsv(file, parseColumnMap(map), encoding);
    default:
      throw new OptionError(`there is no import of ${format}\n${usage}`);
  }
}

function outFolder(out: string | undefined): string {
  return out ?? process.env['SEGUE_DATA_DIR'] ?? 'generated_data';
}

function numberOf(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : Number(text);
}

function tasteOf(text: string | undefined): SeedOptions['taste'] {
  const taste = text ?? defaultSeedOptions.taste;
  if (taste === 'latent' || taste === 'none') return taste;
  throw new OptionError(`--taste is latent or none, not ${taste}`);
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
