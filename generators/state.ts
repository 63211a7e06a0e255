import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeWhole } from './csv-file.ts';
import { OptionError } from './options.ts';

const schema = z.object({
  options: z.object({
    days: z.number().int(),
    users: z.number().int(),
    songs: z.number().int(),
    eventsPerDay: z.number().int(),
    seed: z.number().int(),
    taste: z.enum(['latent', 'none']).default('latent'),
  }),
  lastWeekEnd: z.string().nullable(),
});

/** Which world the folder holds, and the last week that was generated for it. */
export type GenerationState = z.infer<typeof schema>;

const fileName = 'data_generation_state.json';

/** Reads a folder's state; throws an OptionError where no seed was generated. */
export async function readState(out: string): Promise<GenerationState> {
  try {
    return schema.parse(JSON.parse(await readFile(join(out, fileName), 'utf8')));
  } catch (cause) {
    throw new OptionError(
      `${join(out, fileName)} cannot be read: run \`npm run generate -- seed --out ${out}\` first`,
      { cause },
    );
  }
}

/** Writes a folder's state, whole or not at all. */
export async function writeState(out: string, state: GenerationState): Promise<void> {
  await writeWhole(join(out, fileName), (file) => file.write(`${JSON.stringify(state, null, 2)}\n`));
}
