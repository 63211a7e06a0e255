import { availableParallelism, homedir, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { port, readConfig } from '../platform/config.ts';

/** The checkout this code lies in. */
export const repositoryRoot = dirname(dirname(fileURLToPath(import.meta.url)));

const defaultMemoryGiB = Math.max(1, Math.min(4, Math.floor(totalmem() / 2 ** 30 / 3)));

const schema = z.object({
  /** Data, logs and process files of this checkout's stack. */
  SEGUE_STATE_DIR: z.string().default(join(repositoryRoot, '.stack')),
  /** Generated credentials. */
  SEGUE_SECRETS_DIR: z.string().default(join(repositoryRoot, 'secrets')),
  /** Landing CSVs. */
  SEGUE_DATA_DIR: z.string().default(join(repositoryRoot, 'generated_data')),
  SEGUE_TEMPORAL_PORT: port.default(7233),
  SEGUE_TEMPORAL_UI_PORT: port.default(8233),
  SEGUE_MINIO_PORT: port.default(9000),
  SEGUE_MINIO_CONSOLE_PORT: port.default(9001),
  SEGUE_KAFKA_PORT: port.default(9092),
  SEGUE_KAFKA_CONTROLLER_PORT: port.default(9093),
  SEGUE_SPARK_PORT: port.default(15002),
  SEGUE_SPARK_UI_PORT: port.default(4040),
  SEGUE_WORKER_METRICS_PORT: port.default(9464),
  SEGUE_API_PORT: port.default(8088),
  /** Spark's own word for how many threads its local mode uses. */
  SEGUE_SPARK_LOCAL_MASTER: z.string().startsWith('local').default(`local[${availableParallelism()}]`),
  /** Heap of the warm Spark, as Java writes sizes; a third of the machine's memory, at most 4 GiB. */
  SEGUE_SPARK_MEMORY: z
    .string()
    .regex(/^\d+[mg]$/i, 'give a size such as 2g or 1500m')
    .default(`${defaultMemoryGiB}g`),
  /**
   * Options of the warm Spark's JVM. The parallel collector, because short pauses do not matter here: on two cores a
   * session writes the year's events in 10.5 s, and with G1, Java's default, in 11.3 to 13.2 s. The code cache is twice
   * Java's default, so that compiled code of recurring queries stays.
   */
  SEGUE_SPARK_JAVA_OPTIONS: z.string().default('-XX:+UseParallelGC -XX:ReservedCodeCacheSize=512m'),
});

/** Every port of the stack, by service. */
export interface StackPorts {
  readonly temporal: number;
  readonly temporalUi: number;
  readonly minio: number;
  readonly minioConsole: number;
  readonly kafka: number;
  readonly kafkaController: number;
  readonly spark: number;
  readonly sparkUi: number;
  readonly workerMetrics: number;
  readonly api: number;
}

/** The environment variable that moves each port. */
export const portVariables = {
  temporal: 'SEGUE_TEMPORAL_PORT',
  temporalUi: 'SEGUE_TEMPORAL_UI_PORT',
  minio: 'SEGUE_MINIO_PORT',
  minioConsole: 'SEGUE_MINIO_CONSOLE_PORT',
  kafka: 'SEGUE_KAFKA_PORT',
  kafkaController: 'SEGUE_KAFKA_CONTROLLER_PORT',
  spark: 'SEGUE_SPARK_PORT',
  sparkUi: 'SEGUE_SPARK_UI_PORT',
  workerMetrics: 'SEGUE_WORKER_METRICS_PORT',
  api: 'SEGUE_API_PORT',
} as const satisfies Record<keyof StackPorts, string>;

/** The folders and sizes of a stack. Every path is absolute. */
export interface StackSettings {
  readonly stateDir: string;
  readonly secretsDir: string;
  readonly dataDir: string;
  readonly ports: StackPorts;
  readonly sparkMaster: string;
  readonly sparkMemory: string;
  readonly sparkJavaOptions: string;
}

/** The stack's settings from its environment; throws a ConfigError that lists all problems. */
export function readStackSettings(env: NodeJS.ProcessEnv): StackSettings {
  const config = readConfig(schema, env);
  const ports = Object.entries(portVariables).map(([name, variable]) => [name, config[variable]]);
  return {
    stateDir: resolve(config.SEGUE_STATE_DIR),
    secretsDir: resolve(config.SEGUE_SECRETS_DIR),
    dataDir: resolve(config.SEGUE_DATA_DIR),
    // Built from portVariables' keys, which are StackPorts' keys.
    ports: Object.fromEntries(ports),
    sparkMaster: config.SEGUE_SPARK_LOCAL_MASTER,
    sparkMemory: config.SEGUE_SPARK_MEMORY,
    sparkJavaOptions: config.SEGUE_SPARK_JAVA_OPTIONS,
  };
}

/** Where installed tools are kept for every checkout: SEGUE_CACHE_DIR, else $XDG_CACHE_HOME/segue, else ~/.cache/segue. */
export function cacheDirectory(env: NodeJS.ProcessEnv): string {
  if (env['SEGUE_CACHE_DIR']) return resolve(env['SEGUE_CACHE_DIR']);
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'segue');
}
