import { z } from 'zod';
import { flag } from './config.ts';

/** The address of Kafka (a comma list of host:port) and the client's credentials. */
export const kafkaSettings = {
  SEGUE_KAFKA_BROKERS: z
    .string()
    .default('127.0.0.1:9092')
    .transform((list) => list.split(',').map((broker) => broker.trim())),
  SEGUE_KAFKA_SSL: flag.default(false),
  /** PEM of the authority that signed the brokers' certificates, where the system does not know it. */
  SEGUE_KAFKA_SSL_CA: z.string().optional(),
  SEGUE_KAFKA_SASL_MECHANISM: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).optional(),
  SEGUE_KAFKA_USERNAME: z.string().optional(),
  SEGUE_KAFKA_PASSWORD: z.string().optional(),
};

/** The address of Temporal and the client's credentials: an API key, or a certificate (PEM) with its key. */
export const temporalSettings = {
  SEGUE_TEMPORAL_ADDRESS: z.string().default('127.0.0.1:7233'),
  SEGUE_TEMPORAL_NAMESPACE: z.string().default('default'),
  SEGUE_TASK_QUEUE: z.string().default('segue'),
  SEGUE_TEMPORAL_TLS: flag.default(false),
  SEGUE_TEMPORAL_TLS_CA: z.string().optional(),
  SEGUE_TEMPORAL_TLS_CERT: z.string().optional(),
  SEGUE_TEMPORAL_TLS_KEY: z.string().optional(),
  SEGUE_TEMPORAL_API_KEY: z.string().optional(),
};

const temporalSchema = z.object(temporalSettings);
const kafkaSchema = z.object(kafkaSettings);
export type TemporalSettings = z.infer<typeof temporalSchema>;
export type KafkaSettings = z.infer<typeof kafkaSchema>;

/** The connection options that @temporalio's Connection and NativeConnection both accept. */
export interface TemporalAccess {
  readonly address: string;
  readonly tls?: {
    readonly serverRootCACertificate?: Buffer;
    readonly clientCertPair?: { readonly crt: Buffer; readonly key: Buffer };
  };
  readonly apiKey?: string;
}

/** An API key or a certificate goes with TLS, whether that was asked for or not. */
export function temporalAccess(settings: TemporalSettings): TemporalAccess {
  const { SEGUE_TEMPORAL_ADDRESS: address, SEGUE_TEMPORAL_API_KEY: apiKey } = settings;
  const { SEGUE_TEMPORAL_TLS_CA: ca, SEGUE_TEMPORAL_TLS_CERT: crt, SEGUE_TEMPORAL_TLS_KEY: key } = settings;
  const needsTls = settings.SEGUE_TEMPORAL_TLS || [apiKey, ca, crt].some((given) => given !== undefined);
  return {
    address,
    ...(needsTls && {
      tls: {
        ...(ca !== undefined && { serverRootCACertificate: Buffer.from(ca) }),
        ...(crt !== undefined &&
          key !== undefined && { clientCertPair: { crt: Buffer.from(crt), key: Buffer.from(key) } }),
      },
    }),
    ...(apiKey !== undefined && { apiKey }),
  };
}

/** How a client reaches Kafka. */
export interface KafkaAccess {
  readonly brokers: readonly string[];
  /** TLS; `ca` is PEM. */
  readonly ssl?: { readonly ca?: string };
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  };
}

export function kafkaAccess(settings: KafkaSettings): KafkaAccess {
  const { SEGUE_KAFKA_SSL_CA: ca, SEGUE_KAFKA_SASL_MECHANISM: mechanism } = settings;
  const { SEGUE_KAFKA_USERNAME: username = '', SEGUE_KAFKA_PASSWORD: password = '' } = settings;
  const needsTls = settings.SEGUE_KAFKA_SSL || ca !== undefined;
  return {
    brokers: settings.SEGUE_KAFKA_BROKERS,
    ...(needsTls && { ssl: ca === undefined ? {} : { ca } }),
    ...(mechanism && { sasl: { mechanism, username, password } }),
  };
}

const loginModules = { plain: 'plain.PlainLoginModule', scram: 'scram.ScramLoginModule' } as const;

/** The same for Kafka's Java client, which Spark uses: its properties, without the brokers. Empty where nothing is secured. */
export function kafkaJavaProperties({ ssl, sasl }: KafkaAccess): Readonly<Record<string, string>> {
  const protocol = `${sasl ? 'SASL_' : ''}${ssl ? 'SSL' : 'PLAINTEXT'}`;
  if (protocol === 'PLAINTEXT') return {};
  return {
    'security.protocol': protocol,
    ...(ssl?.ca !== undefined && { 'ssl.truststore.type': 'PEM', 'ssl.truststore.certificates': ssl.ca }),
    ...(sasl && { 'sasl.mechanism': sasl.mechanism.toUpperCase(), 'sasl.jaas.config': jaas(sasl) }),
  };
}

function jaas({ mechanism, username, password }: NonNullable<KafkaAccess['sasl']>): string {
  const module = mechanism === 'plain' ? loginModules.plain : loginModules.scram;
  return `org.apache.kafka.common.security.${module} required username=${quoted(username)} password=${quoted(password)};`;
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
