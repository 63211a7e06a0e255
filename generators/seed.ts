import { join } from 'node:path';
import { lake } from '../contracts/lake.ts';
import { dateOf, firstWeeklyDay } from './calendar.ts';
import { csvLine, writeLines, writeWhole, type FileWriter } from './csv-file.ts';
import { followLines, playlists, songLines, userLines } from './dimensions.ts';
import { EventLines } from './event-lines.ts';
import { ListenGenerator } from './listens.ts';
import { checkSeedOptions, type SeedOptions } from './options.ts';
import { writeState } from './state.ts';
import { buildWorld, type World } from './world.ts';

/** How far a generation is: events made, of all it will make. */
export interface GenerationProgress {
  readonly events: number;
  readonly totalEvents: number;
}

export const seedEventsFile = 'fact_listening_events_2024.csv';

/**
 * Writes the seed: dimension files and the listens of the last `days` days of 2024. The same options give the same bytes.
 * Every file appears whole or not at all; the state file is written last, so an interrupted seed is seen as none.
 */
export async function generateSeed(
  options: SeedOptions,
  out: string,
  onProgress: (progress: GenerationProgress) => void = () => undefined,
): Promise<void> {
  const world = buildWorld(checkSeedOptions(options));
  await writeDimensions(world, out);
  const totalEvents = options.days * options.eventsPerDay;
  await writeEvents(join(out, seedEventsFile), world, firstWeeklyDay - options.days, options.days, (events) =>
    onProgress({ events, totalEvents }),
  );
  await writeState(out, { options, lastWeekEnd: null });
}

async function writeDimensions(world: World, out: string): Promise<void> {
  await writeTable(out, 'dim_songs', songLines(world));
  await writeTable(out, 'dim_users', userLines(world));
  const lists = [...playlists(world)];
  await writeTable(
    out,
    'dim_playlists',
    lists.map((list) => csvLine([list.id, list.name, list.owner, dateOf(list.createdDay)])),
  );
  await writeTable(
    out,
    'bridge_playlist_tracks',
    lists.flatMap((list) => list.tracks.map((track) => csvLine([list.id, track]))),
  );
  await writeTable(out, 'graph_user_follows', followLines(world));
}

async function writeTable(out: string, table: string, lines: Iterable<string>): Promise<void> {
  await writeWhole(join(out, `${table}.csv`), async (file) => {
    await file.write(headerOf(table));
    await writeLines(file, lines);
  });
}

/** The header line of a table's landing file. */
export function headerOf(table: string): string {
  const dataset = lake.datasets.find((known) => known.table === table);
  if (!dataset) throw new Error(`no landing file feeds ${table}`);
  return csvLine(dataset.columns);
}

/** Writes the listens of some days as an events file. */
export async function writeEvents(
  path: string,
  world: World,
  firstDay: number,
  days: number,
  onEvents: (events: number) => void,
): Promise<void> {
  const lines = new EventLines(world, new ListenGenerator(world));
  await writeWhole(path, async (file: FileWriter) => {
    await file.write(headerOf('fact_listening_events'));
    for (let index = 0; index < days; index++) {
      // A copy: the buffer is used again while the stream may still hold the last day.
      await file.write(lines.day(firstDay + index).slice());
      onEvents((index + 1) * world.options.eventsPerDay);
    }
  });
}
