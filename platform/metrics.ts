import { collectDefaultMetrics, Registry } from 'prom-client';

/** A metrics registry for a process, with Node's own metrics (event loop, heap, handles). */
export function createMetrics(process: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ process });
  collectDefaultMetrics({ register: registry });
  return registry;
}
