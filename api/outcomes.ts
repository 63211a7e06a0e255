import { lake } from '../contracts/lake.ts';
import { outcomeReport, type OutcomeReport } from '../contracts/schemas/outcomes.ts';
import type { Logger } from '../platform/logger.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import type { ApiMetrics } from './metrics.ts';

const reportKey = 'outcomes.json';
const pollMs = 30_000;

/**
 * The newest report on the outcomes of recommendations. The process looks it up in the store at intervals, and the
 * metrics show it.
 */
export class OutcomeReports {
  readonly #store: ObjectStore;
  readonly #metrics: ApiMetrics;
  readonly #logger: Logger;
  #current: OutcomeReport | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: { readonly store: ObjectStore; readonly metrics: ApiMetrics; readonly logger: Logger }) {
    this.#store = deps.store;
    this.#metrics = deps.metrics;
    this.#logger = deps.logger;
  }

  get current(): OutcomeReport | undefined {
    return this.#current;
  }

  start(): void {
    const look = async (): Promise<void> => {
      await this.look();
      this.#timer = setTimeout(() => void look(), pollMs).unref();
    };
    void look();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async look(): Promise<void> {
    try {
      const object = await this.#store.get(lake.buckets.serving, reportKey);
      if (object) this.#take(outcomeReport.parse(JSON.parse(object.body.toString('utf8'))));
    } catch (error) {
      // The report before is still right about its own time; the store is asked again in a moment.
      this.#logger.warn({ err: error }, 'the report of outcomes cannot be read; trying again');
    }
  }

  #take(report: OutcomeReport): void {
    this.#current = report;
    this.#metrics.outcomes.reset();
    for (const group of report.groups) {
      const labels = { tier: group.tier, reason: group.reasonType ?? 'unknown' };
      this.#metrics.outcomes.inc({ ...labels, outcome: 'clicked' }, group.clicked);
      this.#metrics.outcomes.inc({ ...labels, outcome: 'skipped' }, group.skipped);
      const none = group.impressions - group.clicked - group.skipped;
      this.#metrics.outcomes.inc({ ...labels, outcome: 'none' }, none);
    }
  }
}
