/** The options that determine every byte of the generated data. */
export interface SeedOptions {
  readonly days: number;
  readonly users: number;
  readonly songs: number;
  readonly eventsPerDay: number;
  readonly seed: number;
  /** `none`: all users have the same taste, so that a model can learn nothing personal. */
  readonly taste: 'latent' | 'none';
}

/** The year of the interface: 366 days of 2024, about 5.5 million events. */
export const defaultSeedOptions: SeedOptions = {
  days: 366,
  users: 500,
  songs: 30_000,
  eventsPerDay: 15_000,
  seed: 42,
  taste: 'latent',
};

/** An error in the options. The message names the option and a valid value. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
}

/** Checks the options; throws an OptionError. */
export function checkSeedOptions(options: SeedOptions): SeedOptions {
  const least = { days: 1, users: 1, songs: 1, eventsPerDay: 1, seed: 0 };
  for (const name of Object.keys(least) as (keyof typeof least)[]) {
    const value = options[name];
    if (Number.isSafeInteger(value) && value >= least[name]) continue;
    throw new OptionError(
      `--${name === 'eventsPerDay' ? 'events-per-day' : name} must be a whole number of at least ${least[name]}, not ${value}`,
    );
  }
  if (options.days > 366)
    throw new OptionError(`--days is the last N days of 2024, so at most 366, not ${options.days}`);
  return options;
}
