import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { dateOf, dayOf, firstWeeklyDay } from './calendar.ts';
import { writeEvents, type GenerationProgress } from './seed.ts';
import { OptionError } from './options.ts';
import { findState, readState, writeState } from './state.ts';
import { buildWorld } from './world.ts';

const daysPerWeek = 7;
/** A weekly file holds a third more than seven days of the seed: about 140,000 events of 15,000 a day. */
const weeklyGrowth = 4 / 3;

/** The name of the weekly file of a week's last day. */
export function weeklyFileName(weekEnd: string): string {
  return `trends_${weekEnd}.csv`;
}

/**
 * Writes the next `count` weeks of 2025 after the last week. The bytes of a week depend on the world and the week
 * alone, so a week that was interrupted has the same bytes when the generator makes it again. Returns the written
 * files.
 */
export async function generateWeekly(
  { count, out }: { readonly count: number; readonly out: string },
  onProgress: (progress: GenerationProgress) => void = () => undefined,
): Promise<readonly string[]> {
  const state = await readState(out);
  const eventsPerDay = Math.round(state.options.eventsPerDay * weeklyGrowth);
  const world = buildWorld({ ...state.options, eventsPerDay });
  const totalEvents = count * daysPerWeek * eventsPerDay;
  const files: string[] = [];
  let firstDay = state.lastWeekEnd === null ? firstWeeklyDay : dayOf(state.lastWeekEnd) + 1;
  for (let week = 0; week < count; week++, firstDay += daysPerWeek) {
    const weekEnd = dateOf(firstDay + daysPerWeek - 1);
    const path = join(out, 'weekly_trends', weeklyFileName(weekEnd));
    const before = week * daysPerWeek * eventsPerDay;
    await writeEvents(path, world, firstDay, daysPerWeek, (events) =>
      onProgress({ events: before + events, totalEvents }),
    );
    await writeState(out, { ...state, lastWeekEnd: weekEnd });
    files.push(path);
  }
  return files;
}

/**
 * Removes every weekly file and the state of the weeks, so that the generator starts again with the first week. The
 * seed stays. Returns the number of removed files. Throws an OptionError and removes nothing if the folder has no seed,
 * because the files are not the generator's.
 */
export async function truncateWeekly(out: string): Promise<number> {
  const state = await findState(out);
  if (!state)
    throw new OptionError(`${out} holds no generated seed, so its weekly files are not generated ones: all stay`);
  const folder = join(out, 'weekly_trends');
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const weekly = names.filter((name) => /^trends_\d{4}-\d{2}-\d{2}\.csv$/.test(name));
  for (const name of weekly) await rm(join(folder, name));
  await writeState(out, { ...state, lastWeekEnd: null });
  return weekly.length;
}
