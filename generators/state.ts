import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeWhole } from './csv-file.ts';
import { OptionError, type SeedOptions } from './options.ts';

const optionsSchema = z.object({
  days: z.number().int(),
  users: z.number().int(),
  songs: z.number().int(),
  eventsPerDay: z.number().int(),
  seed: z.number().int(),
  taste: z.enum(['latent', 'none']).default('latent'),
});

const seedSchema = z.object({ options: optionsSchema });
/** Folders that were generated before the seed had a file of its own have its options here. */
const weeksSchema = z.object({ lastWeekEnd: z.string().nullable(), options: optionsSchema.optional() });

/** Which world the folder holds, and the last week that was generated for it. */
export interface GenerationState {
  readonly options: SeedOptions;
  readonly lastWeekEnd: string | null;
}

/** Stays as long as the seed: without it no week could be made. */
const seedFile = 'data_generation_seed.json';
/** The state of the weekly files; not there before the first and after `--truncate`. */
const weeksFile = 'data_generation_state.json';

/** Reads a folder's state; undefined where no seed was generated. Throws an OptionError when it cannot be read. */
export async function findState(out: string): Promise<GenerationState | undefined> {
  const weeks = await readJson(join(out, weeksFile), weeksSchema, out);
  const options = (await readJson(join(out, seedFile), seedSchema, out))?.options ?? weeks?.options;
  return options && { options, lastWeekEnd: weeks?.lastWeekEnd ?? null };
}

/** Reads a folder's state; throws an OptionError where no seed was generated. */
export async function readState(out: string): Promise<GenerationState> {
  const state = await findState(out);
  if (state) return state;
  throw new OptionError(`${join(out, seedFile)} is not there: ${seedCommand(out)} first`);
}

/** Writes a folder's state, each of its files whole or not at all. */
export async function writeState(out: string, { options, lastWeekEnd }: GenerationState): Promise<void> {
  await writeJson(join(out, seedFile), { options });
  if (lastWeekEnd === null) await rm(join(out, weeksFile), { force: true });
  else await writeJson(join(out, weeksFile), { lastWeekEnd });
}

async function readJson<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
  out: string,
): Promise<z.infer<Schema> | undefined> {
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new OptionError(`${path} cannot be read: ${seedCommand(out)} again`, { cause });
  }
}

async function writeJson(path: string, content: object): Promise<void> {
  await writeWhole(path, (file) => file.write(`${JSON.stringify(content, null, 2)}\n`));
}

function seedCommand(out: string): string {
  return `run \`npm run generate -- seed --out ${out}\``;
}
