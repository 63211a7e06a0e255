import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../stack/free-port.ts';
import type { ServiceDefinition } from '../../stack/services/service.ts';
import type { Patience } from '../../stack/supervisor/keeper.ts';

/** Patience for tests: everything within a second or two. */
export const impatient: Partial<Patience> = {
  firstBackOffMs: 20,
  longestBackOffMs: 100,
  stableAfterMs: 60_000,
  fastDeathsAllowed: 4,
  startProbeMs: 20,
  watchProbeMs: 50,
  unhealthyAfter: 2,
  restartAfter: 8,
};

/** A server that says "hello" to whoever connects; `before` runs first, in the same process. */
export function serverCode(port: number, before = ''): string {
  return `${before};require('net').createServer((s) => s.end('hello')).listen(${port}, '127.0.0.1')`;
}

/** A real, small process as a service. */
export async function smallService(
  name: string,
  options: {
    readonly needs?: readonly string[];
    readonly port?: number;
    readonly before?: string;
    readonly code?: string;
    readonly stopTimeoutMs?: number;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<ServiceDefinition> {
  const port = options.port ?? (await freePort());
  return {
    name,
    title: name,
    needs: options.needs ?? [],
    ports: [{ port, label: name, variable: `SEGUE_${name.toUpperCase()}_PORT` }],
    command: {
      file: process.execPath,
      args: ['-e', options.code ?? serverCode(port, options.before)],
      env: options.env ?? {},
      cwd: tmpdir(),
    },
    probe: () => hello(port),
    startTimeoutMs: 5_000,
    stopTimeoutMs: options.stopTimeoutMs ?? 3_000,
  };
}

/** Rejects unless a server answers at this port. */
export function hello(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 1_000 });
    socket.once('data', () => {
      socket.destroy();
      resolve();
    });
    socket.once('timeout', () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
    socket.once('end', () => reject(new Error('no greeting')));
  });
}

/** A temporary folder for one test, and how to remove it. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'segue-stack-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
