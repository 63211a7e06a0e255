import type { StackSettings } from './config.ts';
import { envFor } from './environment.ts';
import { StackError, throwIfInterrupted } from './errors.ts';
import type { ServiceChoice } from './external.ts';
import { ensureInstalled, type Installed } from './install/index.ts';
import { refuseFullDisk } from './install/disk.ts';
import type { Interrupts } from './interrupts.ts';
import { lockHolder } from './lock.ts';
import { prepareStack } from './stack.ts';
import { runSteps, type Step, type StepTime } from './steps.ts';
import type { KeeperEvent } from './supervisor/keeper.ts';
import { stackFolders } from './supervisor/records.ts';
import { describeHolder, type Supervisor } from './supervisor/supervisor.ts';

/** The least free space the state folder needs to start with, in bytes. */
const stateSpaceBytes = 0.5e9;

/** A stack that was started from the command line. */
export interface Booted {
  readonly supervisor: Supervisor;
  readonly installed: Installed;
  readonly env: Readonly<Record<string, string>>;
  readonly times: readonly StepTime[];
}

/**
 * The common part of `npm start` and `stack up`: refuses a second start, installs missing tools, and starts the
 * services with a progress line each, beside the remaining steps. After a failure or an interrupt it stops all
 * services.
 */
export async function boot(options: {
  readonly settings: StackSettings;
  readonly choice: ServiceChoice;
  readonly interrupts: Interrupts;
  readonly beside?: readonly Step[];
}): Promise<Booted> {
  const { settings, choice, interrupts } = options;
  refuseSecond(settings.stateDir);
  const installStartedAt = Date.now();
  const installed = await ensureInstalled({ signal: interrupts.stop });
  const installTime = { title: 'set-up', seconds: (Date.now() - installStartedAt) / 1000 };

  const env = { ...envFor(settings, installed), ...choice.overrides };
  const events = createEventBoard();
  const supervisor = await prepareStack({
    settings,
    installed,
    services: choice.embedded,
    env: process.env,
    overrides: choice.overrides,
    onEvent: events.tell,
  });
  await refuseFullDisk(settings.stateDir, stateSpaceBytes, 'SEGUE_STATE_DIR');
  for (const remark of choice.remarks) console.log(remark);
  const stopEarly = (): void => void supervisor.stop(interrupts.hurry);
  interrupts.stop.addEventListener('abort', stopEarly, { once: true });
  const starting = supervisor.start();
  // The code below awaits this promise. An earlier rejection must not end the process.
  starting.catch(() => undefined);
  try {
    const services = serviceSteps(supervisor, events, starting);
    const steps = [...services, ...(options.beside ?? [])];
    const times = await runSteps(steps, { signal: interrupts.stop });
    await starting;
    events.announceTroubles();
    return { supervisor, installed, env, times: [installTime, ...times] };
  } catch (error) {
    await supervisor.stop(interrupts.hurry);
    throwIfInterrupted(interrupts.stop);
    // The start's own reason says more than that the steps were stopped.
    await starting;
    throw error;
  } finally {
    interrupts.stop.removeEventListener('abort', stopEarly);
  }
}

function refuseSecond(stateDir: string): void {
  const holder = lockHolder(stackFolders(stateDir).supervisorFile);
  if (holder) throw new StackError(describeHolder(holder));
}

interface EventBoard {
  readonly tell: (event: KeeperEvent) => void;
  untilHealthy(service: string, report: (detail: string) => void): Promise<void>;
  /** From now on deaths and surrenders are printed as they come. */
  announceTroubles(): void;
}

function createEventBoard(): EventBoard {
  const healthy = new Set<string>();
  const listeners = new Set<(event: KeeperEvent) => void>();
  return {
    tell(event) {
      if (event.kind === 'healthy') healthy.add(event.service);
      for (const listener of listeners) listener(event);
    },
    untilHealthy: (service, report) =>
      new Promise((resolve) => {
        if (healthy.has(service)) return resolve();
        listeners.add((event) => {
          if (event.service !== service) return;
          if (event.kind === 'healthy') resolve();
          else report(event.message.split('\n')[0] ?? '');
        });
      }),
    announceTroubles() {
      listeners.clear();
      listeners.add(({ kind, message }) => {
        if (kind !== 'stopped') console.log(`${new Date().toISOString()} ${message}`);
      });
    },
  };
}

/** A step per service. It ends when the service is healthy, or fails with the reason. */
function serviceSteps(supervisor: Supervisor, events: EventBoard, starting: Promise<void>): Step[] {
  const steps = new Map<string, Step>();
  for (const { name, title, needs } of supervisor.definitions) {
    steps.set(name, {
      title,
      after: needs.flatMap((need) => steps.get(need) ?? []),
      // When all services have started, this service has started, too. A rejection of `starting` ends every step.
      run: (report) => Promise.race([events.untilHealthy(name, report), starting]),
    });
  }
  return [...steps.values()];
}
