import { z } from 'zod';
import { flag, port, readConfig } from '../platform/config.ts';
import { processSettings } from '../platform/process-settings.ts';
import { trustProxy } from './http/trust-proxy.ts';

const schema = z.object({
  ...processSettings,
  SEGUE_API_HOST: z.string().default('127.0.0.1'),
  SEGUE_API_PORT: port.default(8088),
  /** The token that writes and POST /pipeline ask for. */
  SEGUE_API_TOKEN: z.string().min(16),
  /** Whether reads ask for it too. */
  SEGUE_API_READ_AUTH: flag.default(false),
  /** The proxies whose X-Forwarded-For header counts. Without a value, the API ignores the header. */
  SEGUE_API_TRUST_PROXY: trustProxy.default(false),
  /** How often serving/current.json is looked at, in milliseconds. */
  SEGUE_API_SNAPSHOT_POLL_MS: z.coerce.number().int().min(100).default(2_000),
  /** Requests per minute and address, before 429. */
  SEGUE_API_RATE_LIMIT: z.coerce.number().int().min(1).default(60_000),
  /** Requests per minute and listener's token (or address) under ListenBrainz's API, before 429. */
  SEGUE_API_SCROBBLE_RATE_LIMIT: z.coerce.number().int().min(1).default(1_200),
  /** Where the credentials lie. */
  SEGUE_SECRETS_DIR: z.string().default('secrets'),
  /** The hashes of the listeners' tokens, as `npm run token` writes them; `listener_tokens.json` in the secrets folder. */
  SEGUE_API_LISTENER_TOKENS: z.string().optional(),
  /** The most event streams that a single address may hold open. */
  SEGUE_API_STREAMS_PER_ADDRESS: z.coerce.number().int().min(1).default(2_000),
  /** Recommendation events that may wait in memory when neither Kafka nor the disk takes them; past that they are dropped. */
  SEGUE_API_OUTBOX_LIMIT: z.coerce.number().int().min(1).default(10_000),
  /** Where the state of this checkout's stack lies. */
  SEGUE_STATE_DIR: z.string().default('.stack'),
  /** Where recommendation events wait while Kafka is away, of this process alone; `outbox/<port>` in the state folder. */
  SEGUE_API_SPOOL_DIR: z.string().optional(),
  /** Bytes that may wait there: at about 600 bytes an event, 256 MiB are 400,000 answers. */
  SEGUE_API_SPOOL_LIMIT_BYTES: z.coerce
    .number()
    .int()
    .min(0)
    .default(256 * 1024 * 1024),
});

export type ApiConfig = z.infer<typeof schema>;

/** The API's settings; throws a ConfigError that lists all problems. */
export function readApiConfig(env: NodeJS.ProcessEnv): ApiConfig {
  return readConfig(schema, env);
}
