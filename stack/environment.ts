import { z } from 'zod';
import { readConfig } from '../platform/config.ts';
import { temporalAccess, temporalSettings, type TemporalAccess } from '../platform/service-access.ts';
import type { Installed } from './install/index.ts';
import type { StackPorts, StackSettings } from './config.ts';
import { portVariables } from './config.ts';
import { secretFiles } from './secrets.ts';

/** The environment by which the worker, the API and tests reach this stack; credentials by file, never by value. */
export function envFor(
  settings: StackSettings,
  installed: Pick<Installed, 'python' | 'sparkJarsDir' | 'sparkSubmit'>,
): Readonly<Record<string, string>> {
  const { ports, stateDir, secretsDir, dataDir } = settings;
  const secrets = secretFiles(secretsDir);
  return {
    ...portSettings(ports),
    SEGUE_TEMPORAL_ADDRESS: loopback(ports.temporal),
    SEGUE_S3_ENDPOINT: `http://${loopback(ports.minio)}`,
    SEGUE_S3_REGION: 'us-east-1',
    SEGUE_S3_ACCESS_KEY_FILE: secrets.minioUser,
    SEGUE_S3_SECRET_KEY_FILE: secrets.minioPass,
    SEGUE_KAFKA_BROKERS: loopback(ports.kafka),
    SEGUE_SPARK_REMOTE: `sc://${loopback(ports.spark)}`,
    SEGUE_SPARK_UI: `http://${loopback(ports.sparkUi)}`,
    SEGUE_SPARK_SUBMIT: installed.sparkSubmit,
    SEGUE_PYTHON: installed.python,
    SEGUE_SPARK_JARS: installed.sparkJarsDir,
    SEGUE_API_TOKEN_FILE: secrets.apiToken,
    SEGUE_DATA_DIR: dataDir,
    SEGUE_STATE_DIR: stateDir,
    SEGUE_SECRETS_DIR: secretsDir,
  };
}

/** Where runs are started. */
export interface TemporalTarget {
  readonly access: TemporalAccess;
  readonly namespace: string;
  readonly taskQueue: string;
}

/** Where the worker and the API of this environment have their runs, read as they read it. */
export function temporalOf(env: Readonly<Record<string, string | undefined>>): TemporalTarget {
  const settings = readConfig(z.object(temporalSettings), env);
  return {
    access: temporalAccess(settings),
    namespace: settings.SEGUE_TEMPORAL_NAMESPACE,
    taskQueue: settings.SEGUE_TASK_QUEUE,
  };
}

/** host:port on the loopback interface: the stack listens only there. */
export function loopback(port: number): string {
  return `127.0.0.1:${port}`;
}

function portSettings(ports: StackPorts): Record<string, string> {
  const names = Object.keys(portVariables) as (keyof StackPorts)[];
  return Object.fromEntries(names.map((name) => [portVariables[name], String(ports[name])]));
}
