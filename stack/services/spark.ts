import { readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { portVariables, repositoryRoot } from '../config.ts';
import { loopback } from '../environment.ts';
import { readSecretFile } from '../secrets.ts';
import { variablesOfOtherSparks } from '../../platform/variables.ts';
import type { ServiceContext } from './context.ts';
import { probeTcp } from './probes.ts';
import type { ServiceDefinition } from './service.ts';

const serverClass = 'segue.spark.WarmServer';
const logSettingsFile = join(repositoryRoot, 'stack', 'services', 'spark-log4j2.properties');
const confDir = join(repositoryRoot, 'spark-submit', 'conf');
const defaultsFile = join(confDir, 'spark-defaults.conf');
const poolsFile = join(confDir, 'fairscheduler.xml');

/** The warm Spark: a Spark Connect server from PySpark's own distribution, started by a class of spark-submit/java. */
export function sparkService({ settings, installed, env }: ServiceContext): ServiceDefinition {
  const { ports, stateDir } = settings;
  const folder = join(stateDir, 'spark');
  const jars = join(installed.sparkJarsDir, '*');
  const conf = {
    'spark.connect.grpc.binding.address': '127.0.0.1',
    'spark.connect.grpc.binding.port': String(ports.spark),
    'spark.driver.host': '127.0.0.1',
    'spark.driver.bindAddress': '127.0.0.1',
    'spark.driver.extraClassPath': jars,
    'spark.executor.extraClassPath': jars,
    'spark.hadoop.fs.s3a.endpoint': env['SEGUE_S3_ENDPOINT'] ?? '',
    'spark.hadoop.fs.s3a.endpoint.region': env['SEGUE_S3_REGION'] ?? '',
    'spark.hadoop.fs.s3a.buffer.dir': join(folder, 'tmp'),
    // A refresh must not delay a weekly file. The file configures the sharing between jobs.
    'spark.scheduler.mode': 'FAIR',
    'spark.scheduler.allocation.file': pathToFileURL(poolsFile).href,
    'spark.local.dir': join(folder, 'tmp'),
    'spark.sql.warehouse.dir': join(folder, 'warehouse'),
    'spark.ui.port': String(ports.sparkUi),
    // Report a taken port to the user. Spark by itself would silently use the next port.
    'spark.port.maxRetries': '0',
  };
  return {
    name: 'spark',
    title: 'Spark',
    needs: [],
    ports: [
      { port: ports.spark, label: 'Spark Connect', variable: portVariables.spark },
      { port: ports.sparkUi, label: 'Spark UI', variable: portVariables.sparkUi },
    ],
    url: `http://${loopback(ports.sparkUi)}`,
    command: {
      file: installed.sparkSubmit,
      args: [
        ['--master', settings.sparkMaster, '--driver-memory', settings.sparkMemory],
        ['--driver-java-options', javaOptions(settings.sparkJavaOptions, join(folder, 'tmp'))],
        ['--name', 'segue-warm', '--properties-file', defaultsFile],
        Object.entries(conf).flatMap(([name, value]) => ['--conf', `${name}=${value}`]),
        ['--class', serverClass, 'spark-internal'],
      ].flat(),
      env: {
        SPARK_LOCAL_IP: '127.0.0.1',
        SPARK_HOME: installed.sparkHome,
        SPARK_NO_DAEMONIZE: '1',
        PYSPARK_PYTHON: installed.python,
        AWS_ACCESS_KEY_ID: secretOf(env, 'SEGUE_S3_ACCESS_KEY'),
        AWS_SECRET_ACCESS_KEY: secretOf(env, 'SEGUE_S3_SECRET_KEY'),
        AWS_EC2_METADATA_DISABLED: 'true',
      },
      withoutEnv: variablesOfOtherSparks,
      cwd: folder,
    },
    fingerprint: [defaultsFile, poolsFile, logSettingsFile].map((file) => readFileSync(file, 'utf8')).join('\n'),
    prepare: async () => {
      // Shuffle files of a Spark that was killed.
      await rm(join(folder, 'tmp'), { recursive: true, force: true });
      await mkdir(join(folder, 'tmp'), { recursive: true });
    },
    probe: () => probeTcp(ports.spark),
    startTimeoutMs: 180_000,
    stopTimeoutMs: 8_000,
  };
}

/** Java splits these options at blanks, so a path with a blank needs quotes. */
function javaOptions(given: string, temporaryFolder: string): string {
  return `${given} "-Dlog4j2.configurationFile=file:${logSettingsFile}" "-Djava.io.tmpdir=${temporaryFolder}"`;
}

/** A secret setting: given itself, or by the file that holds it. */
function secretOf(env: Readonly<Record<string, string>>, name: string): string {
  const file = env[`${name}_FILE`];
  return env[name] || (file ? readSecretFile(file) : '');
}
