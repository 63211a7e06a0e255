import { StackError } from '../errors.ts';
import { tryLock, type Lock, type LockHolder } from '../lock.ts';
import type { ServiceDefinition } from '../services/service.ts';
import { endRecorded } from './end-recorded.ts';
import { isAlive } from './identity.ts';
import { createKeeper, defaultPatience, type Keeper, type KeeperEvent, type Patience } from './keeper.ts';
import { refuseTakenPorts, type WantedPort } from './ports.ts';
import { readRecord, readRecords, stackFolders, type ServiceState } from './records.ts';

/** Everything it started has ended this long after `stop`, by SIGKILL if need be. */
const stopWithinMs = 16_000;

/** The services and settings of a supervisor. */
export interface SupervisorOptions {
  readonly stateDir: string;
  readonly definitions: readonly ServiceDefinition[];
  /** The environment that services start from. */
  readonly env: NodeJS.ProcessEnv;
  readonly onEvent?: (event: KeeperEvent) => void;
  readonly patience?: Partial<Patience>;
}

/** A line of `status`. */
export interface ServiceStatus {
  readonly name: string;
  readonly state: ServiceState;
  readonly pid: number | undefined;
}

/** Looks after a stack's services. */
export interface Supervisor {
  /** In the order of their start. */
  readonly definitions: readonly ServiceDefinition[];
  /**
   * Starts or adopts all services, independent services at the same time. Stops all services if a service does not
   * start.
   */
  start(): Promise<void>;
  /** Ends everything in reverse order, within 20 s. `hurry` ends it at once. Safe to call twice. */
  stop(hurry?: AbortSignal): Promise<void>;
  /** Sends SIGKILL to a service, like a crash. Its keeper restarts it. */
  kill(service: string): void;
  status(): ServiceStatus[];
}

/**
 * The supervisor of a state folder. Only a single supervisor can run at a time: a second start throws and names the
 * first.
 */
export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { stateDir, definitions, env, onEvent = () => undefined } = options;
  const { runDir, supervisorFile } = stackFolders(stateDir);
  const patience = { ...defaultPatience, ...options.patience };
  const keepers = new Map(definitions.map((definition) => [definition.name, keep(definition)]));
  let lock: Lock | undefined;
  let stopped: Promise<void> | undefined;

  return {
    definitions,
    async start() {
      lock = takeLock(supervisorFile);
      try {
        await cleanStrangers();
        await refuseTakenPorts(definitions.flatMap(portsToTake));
        await startInOrder();
      } catch (error) {
        await stop();
        throw error;
      }
    },
    stop,
    kill: (service) => keeperOf(service).kill(),
    status: () =>
      [...keepers.values()].map((keeper) => ({
        name: keeper.definition.name,
        state: keeper.state(),
        pid: keeper.pid(),
      })),
  };

  function keep(definition: ServiceDefinition): Keeper {
    return createKeeper(definition, { stateDir, env, patience, onEvent });
  }

  /** Services of an earlier start that this start does not have. */
  async function cleanStrangers(): Promise<void> {
    const strangers = readRecords(runDir).filter(({ service }) => !keepers.has(service));
    await Promise.all(strangers.map(({ service }) => endRecorded(stateDir, service)));
  }

  /** A service's ports, but for those that a process of ours holds already. */
  function portsToTake({ name, ports }: ServiceDefinition): readonly WantedPort[] {
    const record = readRecord(runDir, name);
    if (record === undefined || !isAlive(record.identity)) return ports;
    return ports.filter(({ port }) => !record.ports.includes(port));
  }

  async function startInOrder(): Promise<void> {
    const started = new Map<string, Promise<void>>();
    const startOne = (name: string): Promise<void> => {
      const known = started.get(name);
      if (known) return known;
      const keeper = keeperOf(name);
      // A dependency outside this stack is an existing service, reached by configuration.
      const needs = keeper.definition.needs.filter((need) => keepers.has(need));
      const starting = Promise.all(needs.map(startOne)).then(() => keeper.start());
      started.set(name, starting);
      return starting;
    };
    await Promise.all([...keepers.keys()].map(startOne));
  }

  function stop(hurry?: AbortSignal): Promise<void> {
    // Without the lock, the processes in this state folder belong to a different supervisor.
    if (lock === undefined) return Promise.resolve();
    stopped ??= stopInOrder(hurry).finally(() => lock?.release());
    return stopped;
  }

  async function stopInOrder(hurry?: AbortSignal): Promise<void> {
    const patienceEnds = AbortSignal.timeout(stopWithinMs);
    const signal = hurry ? AbortSignal.any([hurry, patienceEnds]) : patienceEnds;
    const ending = new Map<string, Promise<void>>();
    const stopOne = (name: string): Promise<void> => {
      const known = ending.get(name);
      if (known) return known;
      const dependents = [...keepers.values()].filter(({ definition }) => definition.needs.includes(name));
      const done = Promise.all(dependents.map(({ definition }) => stopOne(definition.name))).then(() =>
        keeperOf(name).stop(signal),
      );
      ending.set(name, done);
      return done;
    };
    await Promise.all([...keepers.keys()].map(stopOne));
  }

  function keeperOf(name: string): Keeper {
    const keeper = keepers.get(name);
    if (keeper === undefined) throw new Error(`no service is called ${name}`);
    return keeper;
  }
}

function takeLock(supervisorFile: string): Lock {
  const attempt = tryLock(supervisorFile);
  if ('lock' in attempt) return attempt.lock;
  throw new StackError(describeHolder(attempt.holder));
}

/** The message for a start of a stack that already runs. */
export function describeHolder(holder: LockHolder): string {
  return (
    `This stack is running already (pid ${holder.pid}, since ${holder.since}): ` +
    'stop it with "npm run stack -- down", or set SEGUE_STATE_DIR and the ports to run another one beside it.'
  );
}
