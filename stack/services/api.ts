import { join } from 'node:path';
import { portVariables, repositoryRoot } from '../config.ts';
import { loopback } from '../environment.ts';
import type { ServiceContext } from './context.ts';
import { probeHttp } from './probes.ts';
import type { ServiceDefinition } from './service.ts';
import { codeOf } from './worker.ts';

/** The HTTP API and the page. */
export function apiService({ settings, env }: ServiceContext): ServiceDefinition {
  const { api } = settings.ports;
  const url = `http://${loopback(api)}`;
  return {
    name: 'api',
    title: 'API',
    needs: ['temporal', 'minio', 'kafka'],
    ports: [{ port: api, label: 'API', variable: portVariables.api }],
    url,
    command: {
      file: process.execPath,
      args: ['--import', 'tsx', join(repositoryRoot, 'api', 'server.ts')],
      env,
      cwd: repositoryRoot,
    },
    fingerprint: codeOf(['api', 'platform', 'contracts']),
    probe: () => probeHttp(`${url}/livez`),
    startTimeoutMs: 60_000,
    // As long as the API gives itself to drain.
    stopTimeoutMs: 10_000,
  };
}
