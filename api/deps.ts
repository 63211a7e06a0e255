import type { Logger } from '../platform/logger.ts';
import type { EventHub } from './events/hub.ts';
import type { Outbox } from './events/outbox.ts';
import type { ProducerLink } from './events/producer-link.ts';
import type { ApiMetrics } from './metrics.ts';
import type { Pipeline } from './pipeline.ts';
import type { Snapshot } from './snapshot/snapshot.ts';

/** Everything the app works with; made in server.ts, or by a test. */
export interface ApiDeps {
  readonly logger: Logger;
  readonly metrics: ApiMetrics;
  readonly snapshots: { readonly current: Snapshot | undefined };
  readonly outbox: Pick<Outbox, 'add'>;
  readonly producer: ProducerLink;
  readonly hub: EventHub;
  readonly pipeline: Pipeline;
  readonly settings: ApiSettings;
  readonly now: () => Date;
}

export interface ApiSettings {
  readonly token: string;
  readonly readAuth: boolean;
  readonly rateLimit: number;
  /** False once the process is stopping: it takes no new traffic. */
  readonly isAccepting: () => boolean;
}
