import { z } from 'zod';
import { port, readConfig } from '../platform/config.ts';
import { processSettings } from '../platform/process-settings.ts';

const schema = z
  .object({
    ...processSettings,
    /** Folder of the landing CSVs. */
    SEGUE_DATA_DIR: z.string().default('generated_data'),
    /** Where this process tells Prometheus about itself. */
    SEGUE_WORKER_METRICS_PORT: port.default(9464),
    SEGUE_WORKER_METRICS_HOST: z.string().default('127.0.0.1'),
    /** A warm Spark Connect server, sc://host:port; the quick way for small loads. */
    SEGUE_SPARK_REMOTE: z.string().startsWith('sc://').optional(),
    /** A Spark master for spark-submit, when there is no warm server: spark://…, yarn, k8s://…, local[2]. */
    SEGUE_SPARK_MASTER: z.string().optional(),
    /** The Python interpreter with pyspark and the packages of spark-submit/requirements.txt. */
    SEGUE_PYTHON: z.string().default('python3'),
    /** Command that submits, where SEGUE_SPARK_MASTER is set. */
    SEGUE_SPARK_SUBMIT: z.string().default('spark-submit'),
    /** Folder of the jars that spark-submit/pom.xml names. */
    SEGUE_SPARK_JARS: z.string().optional(),
    /** A properties file that takes the place of spark-submit/conf/spark-defaults.conf. */
    SEGUE_SPARK_PROPERTIES: z.string().optional(),
    /** Where the streaming driver runs, apart from the batch jobs; SEGUE_SPARK_MASTER unless set, and local[2] without that. */
    SEGUE_STREAM_MASTER: z.string().optional(),
    /** Heap of the streaming driver, as Java writes sizes. */
    SEGUE_STREAM_MEMORY: z
      .string()
      .regex(/^\d+[mg]$/i, 'give a size such as 1g or 700m')
      .default('1g'),
    /** A stream looks for new records this often, in milliseconds. */
    SEGUE_STREAM_TRIGGER_MS: z.coerce.number().int().min(100).default(2_000),
    /**
     * The most records of a topic in a micro-batch. The limit bounds the memory while the driver works through a
     * backlog.
     */
    SEGUE_STREAM_MAX_OFFSETS: z.coerce.number().int().min(1).default(200_000),
    /** Last day of a data week; trends_2025-01-07.csv is a Tuesday's. */
    SEGUE_WEEK_END: z
      .enum(['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'])
      .default('tuesday'),
    /** The share of a weekly file's rows that may be bad (0.05 is 5 %); above it a person is asked before anything is loaded. */
    SEGUE_MAX_REFUSED_SHARE: z.coerce.number().min(0).max(1).default(0.05),
    SEGUE_RECOMMENDATIONS_PER_USER: z.coerce.number().int().min(1).max(1000).default(100),
    /** The number of files of a snapshot's recommendations. A writer holds a whole file in memory. */
    SEGUE_SNAPSHOT_SHARDS: z.coerce.number().int().min(1).max(4096).default(8),
    SEGUE_MODEL_SEED: z.coerce.number().int().default(42),
  })
  .refine((env) => env.SEGUE_SPARK_REMOTE ?? env.SEGUE_SPARK_MASTER, {
    message: 'set it (a warm Spark Connect server, sc://host:port) or SEGUE_SPARK_MASTER (a master for spark-submit)',
    path: ['SEGUE_SPARK_REMOTE'],
  });

export type WorkerConfig = z.infer<typeof schema>;

/** The worker's settings; throws a ConfigError that lists all problems. */
export function readWorkerConfig(env: NodeJS.ProcessEnv): WorkerConfig {
  return readConfig(schema, env);
}
