import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Interrupted, StackError } from '../errors.ts';
import type { ServiceDefinition } from '../services/service.ts';
import { createAlarm, type Alarm } from './alarm.ts';
import { endRecorded } from './end-recorded.ts';
import { fingerprintOf } from './fingerprint.ts';
import { isAlive } from './identity.ts';
import { boundLog, lastLines } from './logs.ts';
import { killLeftovers, killNow, startProcess, terminate, watchProcess, type WatchedProcess } from './process.ts';
import {
  logFile,
  readRecord,
  removeRecord,
  stackFolders,
  writeRecord,
  type ServiceRecord,
  type ServiceState,
} from './records.ts';

/** Times and counts of the supervision; tests shorten them. */
export interface Patience {
  /** First pause before a restart; doubles with every death in a row. */
  readonly firstBackOffMs: number;
  readonly longestBackOffMs: number;
  /** A process that lived this long died of something new. */
  readonly stableAfterMs: number;
  /** After this many fast deaths in a row, the keeper gives up. */
  readonly fastDeathsAllowed: number;
  readonly startProbeMs: number;
  readonly watchProbeMs: number;
  /** Failed probes in a row until a running service is called unhealthy, and until it is restarted. */
  readonly unhealthyAfter: number;
  readonly restartAfter: number;
}

export const defaultPatience: Patience = {
  firstBackOffMs: 500,
  longestBackOffMs: 15_000,
  stableAfterMs: 60_000,
  fastDeathsAllowed: 4,
  startProbeMs: 200,
  watchProbeMs: 5_000,
  unhealthyAfter: 3,
  restartAfter: 24,
};

/** The events of a keeper. */
export interface KeeperEvent {
  readonly service: string;
  readonly kind: 'adopted' | 'started' | 'healthy' | 'died' | 'gaveUp' | 'stopped';
  /** A sentence for people. */
  readonly message: string;
}

/** Keeps a service running. */
export interface Keeper {
  readonly definition: ServiceDefinition;
  /** Adopts or starts the service; resolves once it is healthy and provisioned, rejects when it cannot be started. */
  start(): Promise<void>;
  /** Ends the service and all it started; `hurry` cuts the time it is given. Safe to call twice. */
  stop(hurry?: AbortSignal): Promise<void>;
  /** SIGKILL, as a crash would be; it is started again. */
  kill(): void;
  state(): ServiceState;
  /** The present process; undefined between two lives. */
  pid(): number | undefined;
}

/** The shared dependencies of a stack's keepers. */
export interface KeeperContext {
  readonly stateDir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly patience: Patience;
  readonly onEvent: (event: KeeperEvent) => void;
}

interface Life {
  readonly process: WatchedProcess;
  readonly marker: string;
  readonly startedAtMs: number;
  /** Rings when the process has ended and when the service is to stop. */
  readonly alarm: Alarm;
}

/** The keeper of a service: starts or adopts it, probes it, restarts it after its death, and stops it. */
export function createKeeper(definition: ServiceDefinition, context: KeeperContext): Keeper {
  const { stateDir, patience } = context;
  const { runDir } = stackFolders(stateDir);
  const log = logFile(stateDir, definition.name);
  const fingerprint = fingerprintOf(definition);
  const stopping = new AbortController();
  let state: ServiceState = 'stopped';
  let life: Life | undefined;
  let restarts = 0;
  let fastDeaths = 0;
  let deaths = 0;
  let starting: Promise<void> | undefined;
  let watching: Promise<void> | undefined;

  const tell = (kind: KeeperEvent['kind'], message: string): void =>
    context.onEvent({ service: definition.name, kind, message });

  return {
    definition,
    start() {
      starting ??= startUp();
      return starting;
    },
    async stop(hurry) {
      stopping.abort();
      life?.alarm.ring('stopped');
      await endLife(hurry);
      // A pending start has ended by now, or has left a further process.
      await Promise.allSettled([starting, watching]);
      await endLife(hurry);
      if (life === undefined) await endRecorded(stateDir, definition.name, hurry);
      if (state !== 'stopped') tell('stopped', `${definition.title} has stopped`);
      state = 'stopped';
      removeRecord(runDir, definition.name);
    },
    kill() {
      if (life) killNow(life.process.identity, life.marker);
    },
    state: () => state,
    pid: () => (life && isAlive(life.process.identity) ? life.process.identity.pid : undefined),
  };

  async function startUp(): Promise<void> {
    setState('starting');
    life = await adoptOrClean();
    const begun = await liveUntilHealthy();
    watching = watch(begun);
  }

  async function endLife(hurry: AbortSignal | undefined): Promise<void> {
    if (life === undefined) return;
    const { process: present, marker } = life;
    const graceMs = definition.stopTimeoutMs;
    await terminate(present.identity, { marker, graceMs, ...(hurry && { signal: hurry }) });
  }

  /**
   * A process of ours from an earlier supervisor. The keeper adopts it if it matches the definition, and ends it
   * otherwise.
   */
  async function adoptOrClean(): Promise<Life | undefined> {
    const record = readRecord(runDir, definition.name);
    if (record === undefined) return undefined;
    if (isAlive(record.identity) && record.fingerprint === fingerprint && (await isWell())) {
      restarts = record.restarts;
      tell('adopted', `${definition.title} runs already (pid ${record.identity.pid})`);
      const startedAtMs = Date.parse(record.startedAt);
      return lifeOf(watchProcess(record.identity), record.marker, startedAtMs);
    }
    await terminate(record.identity, { marker: record.marker, graceMs: definition.stopTimeoutMs });
    removeRecord(runDir, definition.name);
    return undefined;
  }

  async function isWell(): Promise<boolean> {
    return definition.probe().then(
      () => true,
      () => false,
    );
  }

  /** Starts and starts again until the service is healthy or has died too often. */
  async function liveUntilHealthy(): Promise<Life> {
    for (;;) {
      refuseWhenStopping();
      const present = life ?? (await begin());
      const trouble = await untilHealthy(present);
      if (trouble === undefined) return present;
      await end(present, trouble, { wasHealthy: false });
    }
  }

  async function begin(): Promise<Life> {
    await definition.prepare?.();
    refuseWhenStopping();
    const marker = randomUUID();
    const started = await startProcess(definition.command, { log, marker, env: context.env });
    life = lifeOf(started, marker, Date.now());
    setState(restarts > 0 ? 'restarting' : 'starting');
    tell('started', `${definition.title} is starting (pid ${started.identity.pid})`);
    return life;
  }

  function lifeOf(watched: WatchedProcess, marker: string, startedAtMs: number): Life {
    const alarm = createAlarm();
    void watched.ended.then((how) => alarm.ring(how));
    // Told to stop while it was being started.
    if (stopping.signal.aborted) alarm.ring('stopped');
    return { process: watched, marker, startedAtMs, alarm };
  }

  /** Undefined once the service answers and is provisioned; else why it does not. */
  async function untilHealthy({ alarm }: Life): Promise<string | undefined> {
    const deadline = Date.now() + definition.startTimeoutMs;
    let lastReason = 'it was never asked';
    while (Date.now() < deadline) {
      const trouble = await alarm.cutShort(reasonAgainst(probeAndProvision));
      refuseWhenStopping();
      const over = alarm.reason();
      if (over !== undefined) return over;
      if (trouble === undefined) {
        setState('running');
        tell('healthy', `${definition.title} is up`);
        return undefined;
      }
      lastReason = trouble.reason;
      await alarm.pause(patience.startProbeMs);
    }
    return `no answer within ${definition.startTimeoutMs / 1000} s (${lastReason})`;
  }

  /** A young server may answer before it can be set up: provisioning is tried again like the probe. */
  async function probeAndProvision(): Promise<void> {
    await definition.probe();
    await definition.provision?.();
  }

  /** After a death: clears the group, and waits before the next life or gives up. */
  async function end(dead: Life, how: string, { wasHealthy }: { readonly wasHealthy: boolean }): Promise<void> {
    const isStable = wasHealthy && Date.now() - dead.startedAtMs >= patience.stableAfterMs;
    // A process that never answered has used its whole time: two attempts are enough.
    const weight = isAlive(dead.process.identity) ? 2 : 1;
    await terminate(dead.process.identity, { marker: dead.marker, graceMs: definition.stopTimeoutMs });
    killLeftovers(dead.process.identity.pid, dead.marker);
    life = undefined;
    refuseWhenStopping();
    fastDeaths = isStable ? weight : fastDeaths + weight;
    deaths = isStable ? 1 : deaths + 1;
    if (fastDeaths >= patience.fastDeathsAllowed) giveUp(how);
    restarts++;
    setState('restarting');
    tell('died', `${definition.title} died (${how}); starting it again`);
    const pauseMs = Math.min(patience.firstBackOffMs * 2 ** (fastDeaths - 1), patience.longestBackOffMs);
    await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
  }

  function giveUp(how: string): never {
    state = 'failed';
    const lines = lastLines(log, 8).map((line) => `    ${line}`);
    const message =
      `${definition.title} died ${deaths} times in a row (${how}) and is not started again. ` +
      `Its log is ${log}; it ends with:\n${lines.join('\n')}`;
    tell('gaveUp', message);
    throw new StackError(message);
  }

  /** From the first health on: looks after the service until it is stopped or given up. */
  async function watch(first: Life): Promise<void> {
    let present = first;
    try {
      for (;;) {
        const how = await untilTrouble(present);
        if (stopping.signal.aborted) return;
        await end(present, how, { wasHealthy: true });
        present = await liveUntilHealthy();
      }
    } catch (error) {
      // An event has reported the end of the attempts, and a stop needs no report. The remaining services go on
      // without this service.
      if (error instanceof Interrupted || state === 'failed') return;
      state = 'failed';
      tell('gaveUp', `${definition.title} cannot be started again: ${String(error)}`);
    }
  }

  /** Resolves when the process has ended or has not answered for so long that it counts as dead. */
  async function untilTrouble({ alarm }: Life): Promise<string> {
    let failures = 0;
    for (;;) {
      await alarm.pause(patience.watchProbeMs);
      const meanwhile = alarm.reason();
      if (meanwhile !== undefined) return meanwhile;
      boundLog(log);
      const trouble = await alarm.cutShort(reasonAgainst(definition.probe));
      const over = alarm.reason();
      if (over !== undefined) return over;
      failures = trouble === undefined ? 0 : failures + 1;
      if (failures >= patience.restartAfter) return `no answer to ${failures} probes: ${trouble?.reason}`;
      if (failures === 0 && state !== 'running') setState('running');
      if (failures >= patience.unhealthyAfter && state !== 'unhealthy') setState('unhealthy');
    }
  }

  function refuseWhenStopping(): void {
    if (stopping.signal.aborted) throw new Interrupted();
  }

  function setState(next: ServiceState): void {
    state = next;
    if (life) writeRecord(runDir, toRecord(life));
  }

  function toRecord(present: Life): ServiceRecord {
    const { command, ports, url } = definition;
    return {
      service: definition.name,
      identity: present.process.identity,
      marker: present.marker,
      fingerprint,
      startedAt: new Date(present.startedAtMs).toISOString(),
      state,
      restarts,
      ports: ports.map(({ port }) => port),
      url: url ?? null,
      command: [command.file, ...command.args],
    };
  }
}

/** Undefined when it worked; else the reason why not. */
async function reasonAgainst(attempt: () => Promise<void>): Promise<{ readonly reason: string } | undefined> {
  try {
    await attempt();
    return undefined;
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}
