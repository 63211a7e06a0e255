import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { portVariables } from '../config.ts';
import { loopback } from '../environment.ts';
import { grantPipelineAccess } from './minio-access.ts';
import type { ServiceContext } from './context.ts';
import { probeHttp } from './probes.ts';
import type { ServiceDefinition } from './service.ts';

/** The object store, with its buckets and the pipeline's user. */
export function minioService({ settings, installed, secrets }: ServiceContext): ServiceDefinition {
  const { ports, stateDir } = settings;
  const folder = join(stateDir, 'minio');
  const dataFolder = join(folder, 'data');
  const endpoint = `http://${loopback(ports.minio)}`;
  return {
    name: 'minio',
    title: 'MinIO',
    needs: [],
    ports: [
      { port: ports.minio, label: 'MinIO', variable: portVariables.minio },
      { port: ports.minioConsole, label: 'MinIO console', variable: portVariables.minioConsole },
    ],
    url: `http://${loopback(ports.minioConsole)}`,
    command: {
      file: installed.minio,
      args: [
        ['server', '--quiet', '--address', loopback(ports.minio)],
        ['--console-address', loopback(ports.minioConsole), dataFolder],
      ].flat(),
      env: {
        MINIO_ROOT_USER_FILE: secrets.minioRootUser,
        MINIO_ROOT_PASSWORD_FILE: secrets.minioRootPass,
        // No search for updates and no telemetry.
        MINIO_UPDATE: 'off',
        MINIO_CALLHOME_ENABLE: 'off',
        MINIO_BROWSER_REDIRECT: 'off',
      },
      cwd: folder,
    },
    prepare: async () => void (await mkdir(dataFolder, { recursive: true })),
    probe: () => probeHttp(`${endpoint}/minio/health/ready`),
    provision: () => grantPipelineAccess({ mc: installed.mc, endpoint, folder: join(folder, 'mc'), secrets }),
    startTimeoutMs: 60_000,
    stopTimeoutMs: 6_000,
  };
}
