import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** The API's own metrics; names and labels are listed in docs/reference.md. */
export function createApiMetrics(registry: Registry) {
  const registers = [registry];
  return {
    registry,
    requestSeconds: new Histogram({
      name: 'segue_http_request_duration_seconds',
      help: 'Time to answer, by route template, method and status',
      labelNames: ['route', 'method', 'status'] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers,
    }),
    eventsSent: new Counter({
      name: 'segue_recommendation_events_sent_total',
      help: 'Recommendation events Kafka has taken',
      registers,
    }),
    eventsDropped: new Counter({
      name: 'segue_recommendation_events_dropped_total',
      help: 'Recommendation events dropped because Kafka was away and neither disk nor memory had room',
      registers,
    }),
    eventsWaiting: new Gauge({
      name: 'segue_recommendation_events_waiting',
      help: 'Recommendation events that wait for Kafka, in memory alone or on disk',
      labelNames: ['place'] as const,
      registers,
    }),
    eventsSpooledBytes: new Gauge({
      name: 'segue_recommendation_events_spooled_bytes',
      help: 'Bytes of the recommendation events that wait on disk',
      registers,
    }),
    listensAccepted: new Counter({
      name: 'segue_listens_accepted_total',
      help: 'Posted listens that Kafka has taken',
      registers,
    }),
    streamClients: new Gauge({
      name: 'segue_event_stream_clients',
      help: 'Clients connected to /events/stream',
      registers,
    }),
    streamClientsDropped: new Counter({
      name: 'segue_event_stream_clients_dropped_total',
      help: 'Stream clients dropped because they read too slowly',
      registers,
    }),
    snapshotBytes: new Gauge({
      name: 'segue_snapshot_size_bytes',
      help: 'Bytes of the snapshot that is served',
      registers,
    }),
    snapshotUsers: new Gauge({
      name: 'segue_snapshot_users',
      help: 'Users the served snapshot has recommendations for',
      registers,
    }),
    snapshotTime: new Gauge({
      name: 'segue_snapshot_generated_timestamp_seconds',
      help: 'When the served snapshot was generated',
      registers,
    }),
    outcomes: new Gauge({
      name: 'segue_recommendation_outcomes',
      help: 'Recommended tracks by what became of them, as last measured',
      labelNames: ['tier', 'reason', 'outcome'] as const,
      registers,
    }),
    snapshotsRefused: new Counter({
      name: 'segue_snapshots_refused_total',
      help: 'Snapshots that were broken and not served',
      registers,
    }),
    weeklyFilesWaiting: new Gauge({
      name: 'segue_weekly_files_waiting',
      help: 'Weekly files that were left out and wait for a person',
      registers,
    }),
    refreshFailed: new Gauge({
      name: 'segue_refresh_failed',
      help: '1 while the newest refresh that has ended is one that failed, else 0',
      registers,
    }),
    schedulesPaused: new Gauge({
      name: 'segue_schedules_paused',
      help: 'Schedules that start nothing until somebody unpauses them',
      registers,
    }),
  };
}

export type ApiMetrics = ReturnType<typeof createApiMetrics>;
