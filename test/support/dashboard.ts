import { readFileSync } from 'node:fs';

const file = new URL('../../compose/grafana/dashboards/segue.json', import.meta.url);

/** The names of the metrics with this prefix that the Grafana dashboard draws, each as the query has it. */
export function dashboardMetrics(prefix: string): string[] {
  const dashboard = JSON.parse(readFileSync(file, 'utf8')) as { panels: { targets: { expr: string }[] }[] };
  const expressions = dashboard.panels.flatMap((panel) => panel.targets.map((target) => target.expr));
  return expressions.flatMap((expression) => expression.match(new RegExp(`\\b${prefix}_\\w+`, 'g')) ?? []);
}
