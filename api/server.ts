import { once } from 'node:events';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import closeWithGrace from 'close-with-grace';
import { topicNames } from '../contracts/topics.ts';
import { createEventProducer } from '../platform/kafka/producer.ts';
import { createLogger, type Logger } from '../platform/logger.ts';
import { createMetrics } from '../platform/metrics.ts';
import { createObjectStore } from '../platform/object-store.ts';
import { kafkaAccess, temporalAccess } from '../platform/service-access.ts';
import { buildApp } from './app.ts';
import { readApiConfig, type ApiConfig } from './config.ts';
import { createCatchUp } from './events/catch-up.ts';
import { startFeed } from './events/feed.ts';
import { EventHub } from './events/hub.ts';
import { Outbox } from './events/outbox.ts';
import { createProducerLink } from './events/producer-link.ts';
import { Spool } from './events/spool.ts';
import { ListenerTokens } from './listenbrainz/tokens.ts';
import { ForgottenUsers } from './listeners/forgotten.ts';
import { ListenerView } from './listeners/view.ts';
import { watchAttention } from './attention.ts';
import { createApiMetrics } from './metrics.ts';
import { OutcomeReports } from './outcomes.ts';
import { createModels } from './models.ts';
import { createPipeline } from './pipeline.ts';
import { SnapshotStore } from './snapshot/store.ts';

/** Everything has this long to end; then the process goes. */
const shutdownMs = 10_000;
const outboxDrainMs = 4_000;
const viewTimeoutMs = 30_000;

const config = readApiConfig(process.env);
const logger = createLogger({ name: 'segue-api', level: config.SEGUE_LOG_LEVEL });
await serve(config, logger);

async function serve(env: ApiConfig, log: Logger): Promise<void> {
  const metrics = createApiMetrics(createMetrics('api'));
  const kafka = { ...kafkaAccess(env), clientId: 'segue-api', logger: log };
  const producer = createProducerLink(() => createEventProducer(kafka), log);
  const outbox = new Outbox({
    link: producer,
    topic: topicNames.recommendations,
    limit: env.SEGUE_API_OUTBOX_LIMIT,
    spool: new Spool({
      folder: env.SEGUE_API_SPOOL_DIR ?? join(env.SEGUE_STATE_DIR, 'outbox', String(env.SEGUE_API_PORT)),
      limitBytes: env.SEGUE_API_SPOOL_LIMIT_BYTES,
    }),
    counters: {
      sent: (count) => metrics.eventsSent.inc(count),
      dropped: (count) => metrics.eventsDropped.inc(count),
      waiting: ({ inMemory, onDisk, diskBytes }) => {
        metrics.eventsWaiting.set({ place: 'memory' }, inMemory);
        metrics.eventsWaiting.set({ place: 'disk' }, onDisk);
        metrics.eventsSpooledBytes.set(diskBytes);
      },
    },
    logger: log,
  });
  const store = createObjectStore({
    endpoint: env.SEGUE_S3_ENDPOINT,
    region: env.SEGUE_S3_REGION,
    accessKey: env.SEGUE_S3_ACCESS_KEY,
    secretKey: env.SEGUE_S3_SECRET_KEY,
  });
  const forgotten = new ForgottenUsers({ store, logger: log });
  const outcomes = new OutcomeReports({ store, metrics, logger: log });
  const snapshots = new SnapshotStore({
    store,
    logger: log,
    pollMs: env.SEGUE_API_SNAPSHOT_POLL_MS,
    onLoaded: (snapshot) => {
      snapshot.leaveOut(forgotten.has);
      metrics.snapshotBytes.set(snapshot.sizeBytes);
      metrics.snapshotUsers.set(snapshot.users);
      metrics.snapshotTime.set(Date.parse(snapshot.manifest.generatedAt) / 1000);
    },
    onRefused: () => metrics.snapshotsRefused.inc(),
  });
  const temporal = Connection.lazy(temporalAccess(env));
  const client = new Client({ connection: temporal, namespace: env.SEGUE_TEMPORAL_NAMESPACE });
  const hub = new EventHub(forgotten.has);
  const now = (): Date => new Date();
  const view = new ListenerView(now, forgotten.has, env.SEGUE_EARLIEST_LISTEN);
  // Before the feed, so that the process knows the forgotten users when the first records arrive from Kafka.
  forgotten.start(view, hub);
  const feed = startFeed({
    kafka,
    hub,
    view,
    now,
    counters: {
      refused: (topic) => metrics.recordsRefused.inc({ topic }),
      unreadable: (topic, count) => metrics.recordsUnreadable.inc({ topic }, count),
      ended: () => metrics.feedEnds.inc(),
    },
  });
  let isAccepting = true;
  const app = buildApp({
    logger: log,
    metrics,
    snapshots,
    outbox,
    producer,
    hub,
    catchUp: createCatchUp(kafka, forgotten.has),
    feed,
    view,
    listenerTokens: new ListenerTokens(
      env.SEGUE_API_LISTENER_TOKENS ?? join(env.SEGUE_SECRETS_DIR, 'listener_tokens.json'),
    ),
    outcomes,
    pipeline: createPipeline(client, env.SEGUE_TASK_QUEUE),
    models: createModels(store, client, env.SEGUE_TASK_QUEUE),
    settings: {
      earliestListen: env.SEGUE_EARLIEST_LISTEN,
      token: env.SEGUE_API_TOKEN,
      readAuth: env.SEGUE_API_READ_AUTH,
      trustProxy: env.SEGUE_API_TRUST_PROXY,
      rateLimit: env.SEGUE_API_RATE_LIMIT,
      scrobbleRateLimit: env.SEGUE_API_SCROBBLE_RATE_LIMIT,
      streamsPerAddress: env.SEGUE_API_STREAMS_PER_ADDRESS,
      viewTimeoutMs,
      isAccepting: () => isAccepting,
    },
    now,
  });

  const server = app.listen(env.SEGUE_API_PORT, env.SEGUE_API_HOST);
  await once(server, 'listening');
  snapshots.start();
  const attention = watchAttention(client, metrics, log);
  outcomes.start();
  log.info({ host: env.SEGUE_API_HOST, port: env.SEGUE_API_PORT }, 'API is listening');

  closeWithGrace({ delay: shutdownMs, logger: false }, async ({ err }) => {
    if (err) log.fatal({ err }, 'API stops on an error');
    isAccepting = false;
    snapshots.stop();
    attention.stop();
    forgotten.stop();
    outcomes.stop();
    await closeServer(server);
    await outbox.close(outboxDrainMs);
    await Promise.allSettled([producer.close(), feed.close(), temporal.close()]);
  });
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  // Answers under way get a moment; event streams would never end by themselves.
  setTimeout(() => server.closeAllConnections(), 1_000).unref();
  await closed;
}
