import { Context } from '@temporalio/activity';
import type { RefusedCounts } from '../contracts/runs.ts';

/**
 * Tells the worker's metrics how many rows silver/refused_events has, by reason, after each refresh. A reason that had rows and
 * has none any more is told as 0.
 */
export function createRefusedGauge(): (refused: RefusedCounts) => void {
  const told = new Set<string>();
  return (refused) => {
    const gauge = Context.current().metricMeter.createGauge(
      'segue_refused_events',
      'int',
      'rows',
      'Rows of bronze that silver leaves out because they break a rule of contracts/acceptance',
    );
    for (const reason of Object.keys(refused)) told.add(reason);
    for (const reason of told) gauge.set(refused[reason] ?? 0, { reason });
  };
}
