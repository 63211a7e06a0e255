import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { z } from 'zod';

/** One table as a reader that is not Spark sees it; `digest` is equal for equal rows, whenever they were written. */
export interface TableDigest {
  readonly rows: number;
  readonly version: number;
  readonly bySource: Readonly<Record<string, number>>;
  readonly digest: string;
}

const digests = z.record(
  z.string(),
  z
    .object({
      rows: z.number(),
      version: z.number(),
      bySource: z.record(z.string(), z.number()),
      digest: z.string(),
    })
    .nullable(),
);

/** How to read the lake without Spark: the stack's Python, and the store's address and credentials. */
export interface LakeReader {
  readonly python: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Describes tables ('bronze/dim_songs') with deltalake; null for one that is not there. */
export async function describeTables(
  reader: LakeReader,
  tables: readonly string[],
): Promise<Readonly<Record<string, TableDigest | null>>> {
  const { stdout } = await execa(reader.python, [script('lake_digest.py'), ...tables], { env: reader.env });
  return digests.parse(JSON.parse(stdout));
}

const refusedRows = z.array(z.object({ line: z.number(), raw: z.string().nullable(), reason: z.string() }));

/** The refused rows of one table, by line. */
export async function readQuarantine(reader: LakeReader, table: string): Promise<z.infer<typeof refusedRows>> {
  const { stdout } = await execa(reader.python, [script('read_quarantine.py'), table], { env: reader.env });
  return refusedRows.parse(JSON.parse(stdout));
}

/** Compares every landing CSV of a folder with bronze and quarantine; throws with the differences if there are any. */
export async function reconcileLake(reader: LakeReader, dataDir: string): Promise<string> {
  const { stdout, stderr, exitCode } = await execa(reader.python, [script('reconcile.py'), dataDir], {
    env: reader.env,
    reject: false,
  });
  if (exitCode !== 0) throw new Error(`files and lake differ:\n${stdout}\n${stderr}`);
  return stdout;
}

/** Rows of one user, by table; tables without any are left out. */
export async function userRows(reader: LakeReader, userId: string): Promise<Readonly<Record<string, number>>> {
  const { stdout } = await execa(reader.python, [script('user_rows.py'), userId], { env: reader.env });
  return z.record(z.string(), z.number()).parse(JSON.parse(stdout));
}

function script(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
