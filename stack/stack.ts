import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { freePort } from './free-port.ts';
import { portVariables, readStackSettings, type StackPorts, type StackSettings } from './config.ts';
import { envFor } from './environment.ts';
import { ensureInstalled, type Installed } from './install/index.ts';
import { ensureSecrets } from './secrets.ts';
import { defineServices } from './services/index.ts';
import { serviceNames, type ServiceName } from './services/service.ts';
import type { KeeperEvent, Patience } from './supervisor/keeper.ts';
import { createSupervisor, type ServiceStatus, type Supervisor } from './supervisor/supervisor.ts';
import { withoutVariables } from '../platform/variables.ts';

/** A stack of its own: folders, ports, services. */
export interface StartStackOptions {
  readonly stateDir: string;
  /** By default `secrets` in the state folder. */
  readonly secretsDir?: string;
  /** By default `landing` in the state folder. */
  readonly dataDir?: string;
  /** Default: free ports. */
  readonly ports?: Partial<StackPorts>;
  /** By default all. */
  readonly services?: readonly ServiceName[];
  /** Settings of the worker and the API that take the place of this stack's: another endpoint, another log level. */
  readonly overrides?: Readonly<Record<string, string>>;
  /** Instead of the default options of Spark's JVM. */
  readonly sparkJavaOptions?: string;
  readonly installed?: Installed;
  readonly onEvent?: (event: KeeperEvent) => void;
  readonly patience?: Partial<Patience>;
}

/** A running stack. */
export interface RunningStack {
  readonly settings: StackSettings;
  readonly ports: StackPorts;
  /** The environment by which a process reaches this stack. */
  readonly env: Readonly<Record<string, string>>;
  readonly installed: Installed;
  status(): ServiceStatus[];
  /** Sends SIGKILL to a service, like a crash. The supervisor restarts the service. */
  kill(service: ServiceName): void;
  /** Ends everything it started. Safe to call twice. */
  stop(): Promise<void>;
}

/**
 * Starts the real services in a folder and on ports of their own, and resolves when they are healthy: for tests and
 * benches. SEGUE_ settings of the environment have no effect. Rejects, with all services stopped, if a service does not
 * start.
 */
export async function startStack(options: StartStackOptions): Promise<RunningStack> {
  const installed = options.installed ?? (await ensureInstalled());
  const stateDir = resolve(options.stateDir);
  const settings: StackSettings = {
    ...readStackSettings({}),
    stateDir,
    secretsDir: resolve(options.secretsDir ?? join(stateDir, 'secrets')),
    dataDir: resolve(options.dataDir ?? join(stateDir, 'landing')),
    ports: { ...(await freePorts()), ...options.ports },
    ...(options.sparkJavaOptions && { sparkJavaOptions: options.sparkJavaOptions }),
  };
  const supervisor = await prepareStack({
    settings,
    installed,
    services: options.services ?? serviceNames,
    env: withoutVariables(process.env, /^SEGUE_/),
    ...(options.overrides && { overrides: options.overrides }),
    ...(options.onEvent && { onEvent: options.onEvent }),
    ...(options.patience && { patience: options.patience }),
  });
  await supervisor.start();
  return {
    settings,
    ports: settings.ports,
    env: { ...envFor(settings, installed), ...options.overrides },
    installed,
    status: () => supervisor.status(),
    kill: (service) => supervisor.kill(service),
    stop: () => supervisor.stop(),
  };
}

/** The supervisor of a stack, with its folders and credentials made; nothing is started yet. */
export async function prepareStack(stack: {
  readonly settings: StackSettings;
  readonly installed: Installed;
  readonly services: readonly ServiceName[];
  /** The common environment of every process. */
  readonly env: NodeJS.ProcessEnv;
  readonly overrides?: Readonly<Record<string, string>>;
  readonly onEvent?: (event: KeeperEvent) => void;
  readonly patience?: Partial<Patience>;
}): Promise<Supervisor> {
  const { settings, installed, services, onEvent, patience } = stack;
  await mkdir(settings.stateDir, { recursive: true });
  const secrets = ensureSecrets(settings.secretsDir);
  const env = { ...envFor(settings, installed), ...stack.overrides };
  return createSupervisor({
    stateDir: settings.stateDir,
    definitions: defineServices(services, { settings, installed, secrets, env }),
    env: stack.env,
    ...(onEvent && { onEvent }),
    ...(patience && { patience }),
  });
}

/** Free ports. */
async function freePorts(): Promise<StackPorts> {
  const names = Object.keys(portVariables);
  const ports: [string, number][] = [];
  for (const name of names) ports.push([name, await freePort()]);
  // Built from portVariables' keys, which are StackPorts' keys.
  return Object.fromEntries(ports) as unknown as StackPorts;
}
