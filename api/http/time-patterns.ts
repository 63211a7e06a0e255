/** Times of contracts/acceptance as patterns of JSON Schema, for the API's description. 29 February is in none of them. */

const clock = '([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?';
const zone = '(Z|[+-](0[0-9]|1[0-7])(:?[0-5][0-9])?|[+-]18(:?00)?)?';
const monthsByDays = [
  { months: [1, 3, 5, 7, 8, 10, 12], days: '(0[1-9]|[12][0-9]|3[01])' },
  { months: [4, 6, 9, 11], days: '(0[1-9]|[12][0-9]|30)' },
  { months: [2], days: '(0[1-9]|1[0-9]|2[0-8])' },
];
const dayMs = 24 * 60 * 60 * 1000;

/** Times until which feedback may hold: of the years after the earliest listen's to 2099. */
export function untilTimePattern(earliest: Date): string {
  const first = earliest.getUTCFullYear() + 1;
  const years = Array.from({ length: 2100 - first }, (_, index) => first + index);
  return timeOn([`(${years.join('|')})-${daysOf(1, 12)}`]);
}

/**
 * Patterns of times that the API certainly accepts, in every zone: times in the whole months after the earliest time
 * and before the current month. The API accepts every matching time. It also accepts times near both ends, up to an
 * hour ahead, which a pattern cannot express. Undefined if there is no such month.
 */
export function pastTimePattern(earliest: Date, now: Date): string | undefined {
  const first = { year: earliest.getUTCFullYear(), month: earliest.getUTCMonth() + 2 };
  // An offset moves a time by up to 18 hours.
  const end = new Date(now.getTime() - 2 * dayMs);
  const last = { year: end.getUTCFullYear(), month: end.getUTCMonth() };
  const yearsByDays = new Map<string, number[]>();
  for (let year = first.year; year <= last.year; year++) {
    const days = daysOf(year === first.year ? first.month : 1, year === last.year ? last.month : 12);
    if (days !== '') yearsByDays.set(days, [...(yearsByDays.get(days) ?? []), year]);
  }
  const dates = [...yearsByDays].map(([days, years]) => `(${years.join('|')})-${days}`);
  return dates.length === 0 ? undefined : timeOn(dates);
}

/** The days of some months of a year, as `MM-DD`; empty where the last month comes before the first. */
function daysOf(first: number, last: number): string {
  const parts = monthsByDays.flatMap(({ months, days }) => {
    const within = months.filter((month) => month >= first && month <= last);
    return within.length === 0 ? [] : [`(${within.map((month) => String(month).padStart(2, '0')).join('|')})-${days}`];
  });
  return parts.length === 0 ? '' : `(${parts.join('|')})`;
}

function timeOn(dates: readonly string[]): string {
  return `^(${dates.join('|')})[T ]${clock}${zone}$`;
}
