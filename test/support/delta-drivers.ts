import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { freePort } from '../../stack/free-port.ts';
import { installed } from './installed.ts';
import { startS3Proxy, type S3Proxy } from './s3-proxy.ts';
import { until } from './wait.ts';

/** Spark drivers of their own, one of them behind a proxy, over one store. */
export interface DriversWorld {
  /** Reaches the store through `proxy`. */
  readonly first: DeltaDriver;
  readonly second: DeltaDriver;
  readonly proxy: S3Proxy;
  /** Names of the objects right under a prefix of a bucket ('lake/table/_delta_log'), sorted. */
  objects(prefix: string): Promise<readonly string[]>;
  stop(): Promise<void>;
}

/** One append: a table's URI, the id of its one row, a Delta transaction if it has one, and whether a job commits it by itself. */
export interface Append {
  readonly table: string;
  readonly id: string;
  readonly txn?: readonly [app: string, version: number];
  readonly by?: 'spark' | 'job';
}

/** A Spark driver that does one thing after another. */
export interface DeltaDriver {
  append(append: Append): Promise<void>;
  /** Appends one row after another, each in a commit of its own; answers the seconds of each. */
  appendAll(table: string, ids: readonly string[]): Promise<readonly number[]>;
  sql(text: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** The ids that a table holds, sorted. */
  ids(table: string): Promise<readonly string[]>;
}

const buckets = ['lake', 'careless', 'promised'];

/** Boots MinIO, the proxy and two Spark drivers; takes about half a minute. */
export async function startDriversWorld(): Promise<DriversWorld> {
  const tools = await installed();
  const folder = await mkdtemp(join(tmpdir(), 'segue-drivers-'));
  // A folder of a single-drive MinIO is a bucket.
  await Promise.all(buckets.map((bucket) => mkdir(join(folder, bucket), { recursive: true })));
  const [port, consolePort] = [await freePort(), await freePort()];
  const password = randomBytes(16).toString('hex');
  const addresses = ['--address', `127.0.0.1:${port}`, '--console-address', `127.0.0.1:${consolePort}`];
  const minio = execa(tools.minio, ['server', '--quiet', ...addresses, folder], {
    env: { MINIO_ROOT_USER: 'tester', MINIO_ROOT_PASSWORD: password, MINIO_UPDATE: 'off' },
    reject: false,
    stdin: 'ignore',
  });
  await until('MinIO answers', () => isReady(port));
  const proxy = await startS3Proxy(port);
  const drivers = await Promise.all([startDriver(proxy.port, password), startDriver(port, password)]);
  return {
    first: drivers[0],
    second: drivers[1],
    proxy,
    // MinIO keeps an object in a folder of its name.
    objects: async (prefix) =>
      existsSync(join(folder, prefix)) ? (await readdir(join(folder, prefix))).toSorted() : [],
    stop: async () => {
      await Promise.all(drivers.map((driver) => driver.stop()));
      await proxy.close();
      minio.kill('SIGTERM');
      await minio;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/minio/health/ready`)).ok;
  } catch {
    return false;
  }
}

interface Answer {
  readonly error?: string;
  readonly seconds?: readonly number[];
  readonly rows?: readonly Readonly<Record<string, unknown>>[];
}

async function startDriver(s3Port: number, password: string): Promise<DeltaDriver & { stop(): Promise<void> }> {
  const tools = await installed();
  const script = fileURLToPath(new URL('delta_driver.py', import.meta.url));
  const python = execa(tools.python, [script], {
    env: {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${s3Port}`,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'tester',
      AWS_SECRET_ACCESS_KEY: password,
      AWS_EC2_METADATA_DISABLED: 'true',
      PYSPARK_PYTHON: tools.python,
      SEGUE_SPARK_JARS: tools.sparkJarsDir,
      SPARK_LOCAL_IP: '127.0.0.1',
    },
    stdin: 'pipe',
    buffer: { stdout: false },
    reject: false,
  });
  const answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Answer> => {
    const { value, done } = await answers.next();
    if (done === true) throw new Error(`the Spark driver ended: ${(await python).stderr.slice(-2_000)}`);
    const answer = JSON.parse(value) as Answer;
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  };
  const ask = (command: unknown): Promise<Answer> => {
    python.stdin.write(`${JSON.stringify(command)}\n`);
    return next();
  };
  await next();
  const sql = async (text: string): Promise<NonNullable<Answer['rows']>> => (await ask({ sql: text })).rows ?? [];
  return {
    append: async ({ table, id, txn, by }) => void (await ask({ append: { table, txn, by }, ids: [[id]] })),
    appendAll: async (table, ids) => (await ask({ append: { table }, ids: ids.map((id) => [id]) })).seconds ?? [],
    sql,
    ids: async (table) => (await sql(`SELECT id FROM delta.\`${table}\` ORDER BY id`)).map(({ id }) => String(id)),
    stop: async () => {
      python.stdin.end();
      await python;
    },
  };
}
