import type { MeasureOutcomesResult, OutcomeActivities } from '../contracts/outcomes.ts';
import { lake } from '../contracts/lake.ts';
import type { OutcomeReport } from '../contracts/schemas/outcomes.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import { runSparkJob } from './spark-jobs.ts';
import type { SparkProcessOptions } from './spark-process.ts';

/** Where the API finds the report, in the serving bucket. */
export const outcomeReportKey = 'outcomes.json';

/** The dependencies of measuring outcomes. */
export interface OutcomeDeps {
  readonly process: SparkProcessOptions;
  readonly store: ObjectStore;
  readonly now: () => Date;
}

/** The activity that builds recommendation_outcomes and the report on it. */
export function createOutcomeActivities({ process, store, now }: OutcomeDeps): OutcomeActivities {
  return {
    buildOutcomes: async ({ runKey, windowHours }) => {
      const lakeUri = `s3a://${lake.buckets.data}`;
      const { groups } = await runSparkJob(process, 'build_outcomes', { runKey, lakeUri, windowHours });
      const report: OutcomeReport = { formatVersion: 1, measuredAt: now().toISOString(), windowHours, groups };
      await store.put(lake.buckets.serving, outcomeReportKey, `${JSON.stringify(report, null, 2)}\n`);
      return totals(groups);
    },
  };
}

function totals(groups: OutcomeReport['groups']): MeasureOutcomesResult {
  const sum = (of: (group: OutcomeReport['groups'][number]) => number): number =>
    groups.reduce((total, group) => total + of(group), 0);
  return {
    impressions: sum(({ impressions }) => impressions),
    clicked: sum(({ clicked }) => clicked),
    skipped: sum(({ skipped }) => skipped),
  };
}
