import { join } from 'node:path';
import { portVariables, repositoryRoot } from '../config.ts';
import { loopback } from '../environment.ts';
import { hashFolders } from '../supervisor/fingerprint.ts';
import type { ServiceContext } from './context.ts';
import { probeHttp } from './probes.ts';
import type { ServiceDefinition } from './service.ts';

const rooms = ['worker', 'workflows', 'activities', 'platform', 'contracts'];

/** The Temporal worker: workflows and activities of this checkout. */
export function workerService({ settings, env }: ServiceContext): ServiceDefinition {
  const { workerMetrics } = settings.ports;
  const metrics = `http://${loopback(workerMetrics)}/metrics`;
  return {
    name: 'worker',
    title: 'worker',
    needs: ['temporal', 'minio', 'kafka', 'spark'],
    ports: [{ port: workerMetrics, label: 'worker metrics', variable: portVariables.workerMetrics }],
    url: metrics,
    command: {
      file: process.execPath,
      args: ['--import', 'tsx', join(repositoryRoot, 'worker', 'main.ts')],
      env,
      cwd: repositoryRoot,
    },
    fingerprint: codeOf(rooms),
    probe: () => probeHttp(metrics),
    startTimeoutMs: 90_000,
    // Longer than the worker itself allows its activities to end.
    stopTimeoutMs: 12_000,
  };
}

/** A process that runs older code than the checkout's is not adopted. */
export function codeOf(names: readonly string[]): string {
  return hashFolders(
    names.map((name) => join(repositoryRoot, name)),
    ['.ts', '.json', '.html', '.js', '.css'],
  );
}
