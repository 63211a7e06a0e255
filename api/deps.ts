import type { OutcomeReport } from '../contracts/schemas/outcomes.ts';
import type { Logger } from '../platform/logger.ts';
import type { CatchUp } from './events/catch-up.ts';
import type { Feed } from './events/feed.ts';
import type { EventHub } from './events/hub.ts';
import type { Outbox } from './events/outbox.ts';
import type { ProducerLink } from './events/producer-link.ts';
import type { TrustProxy } from './http/trust-proxy.ts';
import type { ListenerTokens } from './listenbrainz/tokens.ts';
import type { ListenerView } from './listeners/view.ts';
import type { ApiMetrics } from './metrics.ts';
import type { Models } from './models.ts';
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
  readonly catchUp: CatchUp;
  readonly feed: Pick<Feed, 'isViewRebuilt' | 'problem'>;
  readonly view: ListenerView;
  readonly listenerTokens: Pick<ListenerTokens, 'userOf' | 'hasUser'>;
  readonly outcomes: { readonly current: OutcomeReport | undefined };
  readonly pipeline: Pipeline;
  readonly models: Models;
  readonly settings: ApiSettings;
  readonly now: () => Date;
}

export interface ApiSettings {
  /** The earliest time of a listen that is taken, by the grammar of contracts/acceptance. */
  readonly earliestListen: string;
  readonly token: string;
  readonly readAuth: boolean;
  /** The proxies whose X-Forwarded-For header counts. */
  readonly trustProxy: TrustProxy;
  readonly rateLimit: number;
  /** Requests per minute and listener's token under ListenBrainz's API. */
  readonly scrobbleRateLimit: number;
  readonly streamsPerAddress: number;
  /** Ready or not, answers begin this long after the start, though the view is not rebuilt yet. */
  readonly viewTimeoutMs: number;
  /** False once the process is stopping: it takes no new traffic. */
  readonly isAccepting: () => boolean;
}
