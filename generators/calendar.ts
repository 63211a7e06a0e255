import { parseTime } from '../contracts/acceptance/time.ts';

/** Days are counted from 2024-01-01 = 0; 2025-01-01 is day 366. */
export const msPerDay = 86_400_000;
const dayZeroMs = Date.UTC(2024, 0, 1);

/** The first day after the seed: the weekly files follow on from it. */
export const firstWeeklyDay = 366;

/** YYYY-MM-DD of a day number; negative days lie before 2024. */
export function dateOf(day: number): string {
  return new Date(dayZeroMs + day * msPerDay).toISOString().slice(0, 10);
}

/** The day number of a YYYY-MM-DD. NaN for a text that is not a day of the calendar. */
export function dayOf(date: string): number {
  const ms = parseTime(`${date}T00:00:00Z`) ?? Number.NaN;
  return Math.round((ms - dayZeroMs) / msPerDay);
}

/** Months since January 2024 of a day number. */
export function monthOf(day: number): number {
  const date = new Date(dayZeroMs + day * msPerDay);
  return (date.getUTCFullYear() - 2024) * 12 + date.getUTCMonth();
}
