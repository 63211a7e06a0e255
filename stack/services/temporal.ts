import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { portVariables } from '../config.ts';
import { loopback, temporalOf } from '../environment.ts';
import type { ServiceContext } from './context.ts';
import type { ServiceDefinition } from './service.ts';

/** Measured: the first halves the latency of an activity on the development server. */
const dynamicConfig = ['system.enableActivityEagerExecution=true', 'system.enableEagerWorkflowStart=true'];

/** The attributes by which runs are found in the Web UI. */
const searchAttributes = ['SegueWeek=Keyword'];

/** The Temporal server with its Web UI; runs are kept in a SQLite file of the state folder. */
export function temporalService({ settings, installed, env }: ServiceContext): ServiceDefinition {
  const { ports, stateDir } = settings;
  const folder = join(stateDir, 'temporal');
  const { namespace } = temporalOf(env);
  return {
    name: 'temporal',
    title: 'Temporal',
    needs: [],
    ports: [
      { port: ports.temporal, label: 'Temporal', variable: portVariables.temporal },
      { port: ports.temporalUi, label: 'Temporal Web UI', variable: portVariables.temporalUi },
    ],
    url: `http://${loopback(ports.temporalUi)}`,
    command: {
      file: installed.temporal,
      args: [
        ['server', 'start-dev', '--ip', '127.0.0.1', '--log-level', 'warn', '--color', 'never'],
        ['--port', String(ports.temporal), '--ui-port', String(ports.temporalUi)],
        ['--db-filename', join(folder, 'temporal.db')],
        // The server makes `default` by itself.
        namespace === 'default' ? [] : ['--namespace', namespace],
        dynamicConfig.flatMap((setting) => ['--dynamic-config-value', setting]),
        searchAttributes.flatMap((attribute) => ['--search-attribute', attribute]),
      ].flat(),
      // The user's settings for the CLI must not change the server.
      env: { TEMPORAL_ENV: '', TEMPORAL_ADDRESS: '' },
      cwd: folder,
    },
    prepare: async () => void (await mkdir(folder, { recursive: true })),
    probe: () => probeTemporal(loopback(ports.temporal), namespace),
    startTimeoutMs: 60_000,
    stopTimeoutMs: 6_000,
  };
}

/** Resolves when the server answers for a namespace. */
async function probeTemporal(address: string, namespace: string): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: '2s' });
  try {
    await connection.withDeadline(Date.now() + 3_000, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
  } finally {
    await connection.close();
  }
}
