import { Kafka, logLevel, type LogEntry, type RetryOptions, type SASLOptions } from 'kafkajs';
import type { Logger } from '../logger.ts';
import type { KafkaAccess } from '../service-access.ts';
import { registerCodecs } from './codecs.ts';

/** The address of Kafka and the name of the client. */
export interface KafkaOptions extends KafkaAccess {
  readonly clientId: string;
  readonly logger: Logger;
}

registerCodecs();

/** kafkajs, told how we wait and where to log. */
export function createKafka(
  options: KafkaOptions,
  retry: RetryOptions = { initialRetryTime: 200, maxRetryTime: 2_000, retries: 8 },
): Kafka {
  return new Kafka({
    clientId: options.clientId,
    brokers: [...options.brokers],
    ...(options.ssl && { ssl: options.ssl.ca === undefined ? true : { ca: options.ssl.ca } }),
    ...(options.sasl && { sasl: saslOf(options.sasl) }),
    connectionTimeout: 3_000,
    requestTimeout: 10_000,
    retry,
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => logKafka(options.logger, entry),
  });
}

/** kafkajs has a type for each mechanism. */
function saslOf({ mechanism, username, password }: NonNullable<KafkaAccess['sasl']>): SASLOptions {
  if (mechanism === 'plain') return { mechanism, username, password };
  if (mechanism === 'scram-sha-256') return { mechanism, username, password };
  return { mechanism, username, password };
}

/** kafkajs logs an error even if it will retry. The caller of kafkajs logs the final result. */
function logKafka(logger: Logger, { level, namespace, log }: LogEntry): void {
  const { message, ...fields } = log;
  if (level === logLevel.ERROR) logger.warn({ namespace, ...fields }, message);
  else logger.debug({ namespace, ...fields }, message);
}
