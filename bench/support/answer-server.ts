/**
 * The API's app as `api/server.ts` makes it, with the event of each answer sent to Kafka or left out: argv is `with` or
 * `without`. Settings are those of the API.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { buildApp } from '../../api/app.ts';
import { readApiConfig } from '../../api/config.ts';
import { createCatchUp } from '../../api/events/catch-up.ts';
import { EventHub } from '../../api/events/hub.ts';
import { Outbox } from '../../api/events/outbox.ts';
import { createProducerLink } from '../../api/events/producer-link.ts';
import { Spool } from '../../api/events/spool.ts';
import { ListenerTokens } from '../../api/listenbrainz/tokens.ts';
import { ListenerView } from '../../api/listeners/view.ts';
import { createApiMetrics } from '../../api/metrics.ts';
import { createModels } from '../../api/models.ts';
import { createPipeline } from '../../api/pipeline.ts';
import { SnapshotStore } from '../../api/snapshot/store.ts';
import { topicNames } from '../../contracts/topics.ts';
import { createEventProducer } from '../../platform/kafka/producer.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { createObjectStore } from '../../platform/object-store.ts';

const env = readApiConfig(process.env);
const logger = createLogger({ name: 'bench', level: 'warn' });
const metrics = createApiMetrics(createMetrics('bench'));
const kafka = { brokers: env.SEGUE_KAFKA_BROKERS, clientId: 'segue-bench', logger };
const producer = createProducerLink(() => createEventProducer(kafka), logger);
const outbox = new Outbox({
  link: producer,
  topic: topicNames.recommendations,
  limit: env.SEGUE_API_OUTBOX_LIMIT,
  spool: new Spool({
    folder: join(tmpdir(), `segue-bench-${process.pid}`),
    limitBytes: env.SEGUE_API_SPOOL_LIMIT_BYTES,
  }),
  counters: { sent: (count) => metrics.eventsSent.inc(count), dropped: (count) => metrics.eventsDropped.inc(count) },
  logger,
});
const store = createObjectStore({
  endpoint: env.SEGUE_S3_ENDPOINT,
  region: env.SEGUE_S3_REGION,
  accessKey: env.SEGUE_S3_ACCESS_KEY,
  secretKey: env.SEGUE_S3_SECRET_KEY,
});
const snapshots = new SnapshotStore({
  store,
  logger,
  pollMs: 60_000,
});
await snapshots.check();

const client = new Client({ connection: Connection.lazy({ address: env.SEGUE_TEMPORAL_ADDRESS }) });
const now = (): Date => new Date();
const app = buildApp({
  logger,
  metrics,
  snapshots,
  outbox: process.argv[2] === 'with' ? outbox : { add: () => undefined },
  producer,
  hub: new EventHub(),
  catchUp: createCatchUp(kafka),
  feed: { isViewRebuilt: true, problem: undefined },
  view: new ListenerView(now),
  outcomes: { current: undefined },
  listenerTokens: new ListenerTokens(''),
  pipeline: createPipeline(client),
  models: createModels(store, client),
  settings: {
    earliestListen: env.SEGUE_EARLIEST_LISTEN,
    token: env.SEGUE_API_TOKEN,
    readAuth: false,
    trustProxy: false,
    rateLimit: Number.MAX_SAFE_INTEGER,
    scrobbleRateLimit: Number.MAX_SAFE_INTEGER,
    streamsPerAddress: 1,
    viewTimeoutMs: 0,
    isAccepting: () => true,
  },
  now,
});
app.listen(env.SEGUE_API_PORT, env.SEGUE_API_HOST);
process.on('SIGTERM', () => process.exit(0));
