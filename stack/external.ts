import { serviceNames, type ServiceName } from './services/service.ts';

/** The settings that point the worker and the API at an existing service. The first setting of each group decides. */
const pointers: Readonly<
  Partial<Record<ServiceName, { readonly deciding: readonly string[]; readonly others: readonly string[] }>>
> = {
  temporal: {
    deciding: ['SEGUE_TEMPORAL_ADDRESS'],
    others: [
      'SEGUE_TEMPORAL_NAMESPACE',
      'SEGUE_TEMPORAL_TLS',
      ...withFile(
        'SEGUE_TEMPORAL_TLS_CA',
        'SEGUE_TEMPORAL_TLS_CERT',
        'SEGUE_TEMPORAL_TLS_KEY',
        'SEGUE_TEMPORAL_API_KEY',
      ),
    ],
  },
  minio: {
    deciding: ['SEGUE_S3_ENDPOINT'],
    others: ['SEGUE_S3_REGION', ...withFile('SEGUE_S3_ACCESS_KEY', 'SEGUE_S3_SECRET_KEY')],
  },
  kafka: {
    deciding: ['SEGUE_KAFKA_BROKERS'],
    others: [
      'SEGUE_KAFKA_SSL',
      'SEGUE_KAFKA_SASL_MECHANISM',
      ...withFile('SEGUE_KAFKA_SSL_CA', 'SEGUE_KAFKA_USERNAME', 'SEGUE_KAFKA_PASSWORD'),
    ],
  },
  spark: { deciding: ['SEGUE_SPARK_REMOTE', 'SEGUE_SPARK_MASTER'], others: ['SEGUE_SPARK_PROPERTIES'] },
};

/**
 * Settings that also apply to the stack's own Temporal: a client that starts a run must use the same settings as the
 * worker.
 */
const shared = ['SEGUE_TEMPORAL_NAMESPACE', 'SEGUE_TASK_QUEUE'];

/** Which services are the stack's own, and which exist elsewhere. */
export interface ServiceChoice {
  readonly embedded: readonly ServiceName[];
  /** A sentence for each service that is not started. */
  readonly remarks: readonly string[];
  /** Settings that point the worker, the API and the stack's own clients elsewhere. */
  readonly overrides: Readonly<Record<string, string>>;
}

/**
 * The services to start: all services that the environment does not point elsewhere. Only the configuration decides.
 */
export function chooseServices(env: NodeJS.ProcessEnv): ServiceChoice {
  const external = serviceNames.filter((name) => pointers[name]?.deciding.some((variable) => env[variable]));
  const overrides = external.flatMap((name) => settingsOf(name, env));
  const given = shared.flatMap((variable): [string, string][] => (env[variable] ? [[variable, env[variable]]] : []));
  return {
    embedded: serviceNames.filter((name) => !external.includes(name)),
    remarks: external.map(
      (name) => `${name} is not started: ${pointers[name]?.deciding.join(' or ')} points elsewhere`,
    ),
    overrides: Object.fromEntries([...overrides, ...given]),
  };
}

/** Unset variables stay empty, so that a value of the stack does not mix with values of an external service. */
function settingsOf(name: ServiceName, env: NodeJS.ProcessEnv): [string, string][] {
  const { deciding = [], others = [] } = pointers[name] ?? {};
  return [...deciding, ...others].map((variable) => [variable, env[variable] ?? '']);
}

/** Secrets and certificates, which may be given by file as well. */
function withFile(...variables: readonly string[]): readonly string[] {
  return variables.flatMap((variable) => [variable, `${variable}_FILE`]);
}
