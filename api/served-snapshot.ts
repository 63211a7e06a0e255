import type { ApiDeps } from './deps.ts';
import { Problem } from './problems.ts';
import type { Snapshot } from './snapshot/snapshot.ts';

/** The snapshot that is served; a Problem (503, Retry-After) before the first publication. */
export function servedSnapshot({ snapshots }: Pick<ApiDeps, 'snapshots'>): Snapshot {
  if (snapshots.current) return snapshots.current;
  throw new Problem('nothing_published', {
    detail: 'The first run of initialDataLoad has to end; GET /pipeline/runs shows how far it is',
    headers: { 'Retry-After': '5' },
  });
}
