import assert from 'node:assert/strict';
import { queryObjects } from 'node:v8';
import { stopStack } from '../../stack/down.ts';
import type { ServiceDefinition } from '../../stack/services/service.ts';
import type { KeeperEvent, Patience } from '../../stack/supervisor/keeper.ts';
import { createSupervisor, type Supervisor } from '../../stack/supervisor/supervisor.ts';
import { gate, until } from '../support/wait.ts';
import { impatient, smallService, temporaryFolder } from './small-services.ts';

/** Longer than any test may take: what does not wait for it to pass was cut short. */
const foreverMs = 600_000;

describe('the watch over a running service', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let supervisor: Supervisor;
  let events: KeeperEvent[];

  beforeEach(() => {
    folder = temporaryFolder();
    events = [];
  });

  afterEach(async () => {
    await supervisor.stop();
    await stopStack(folder.path);
    folder.remove();
  });

  async function watch(service: ServiceDefinition, patience: Partial<Patience>): Promise<void> {
    supervisor = createSupervisor({
      stateDir: folder.path,
      definitions: [service],
      env: process.env,
      patience: { ...impatient, ...patience },
      onEvent: (event) => events.push(event),
    });
    await supervisor.start();
  }

  const kinds = (): string[] => events.map(({ kind }) => kind);
  const died = (): KeeperEvent | undefined => events.find(({ kind }) => kind === 'died');
  const state = (): string | undefined => supervisor.status()[0]?.state;

  /** A service whose probe answers while it starts and hangs from then on. */
  async function hangingLater(): Promise<{ readonly service: ServiceDefinition; readonly isAsked: () => boolean }> {
    const service = await smallService('mute');
    const never = gate().passed;
    let isUp = false;
    let isAsked = false;
    const probe = (): Promise<void> => {
      if (!isUp) return service.probe();
      isAsked = true;
      return never;
    };
    const provision = async (): Promise<void> => {
      isUp = true;
    };
    return { service: { ...service, probe, provision }, isAsked: () => isAsked };
  }

  it('keeps nothing of the rounds that are over, however long the service lives', async () => {
    const rounds = 300;
    let probes = 0;
    const probe = async (): Promise<void> => {
      probes++;
    };
    await watch({ ...(await smallService('old')), probe }, { watchProbeMs: 1 });
    const promisesAfter = async (round: number): Promise<number> => {
      await until(`probe ${round}`, () => probes >= round);
      return queryObjects(Promise, { format: 'count' });
    };

    const before = await promisesAfter(50);
    const kept = (await promisesAfter(50 + rounds)) - before;

    // One promise kept in every round would be 300; the test's own come and go by a few.
    assert.ok(kept < rounds / 2, `${kept} promises more after ${rounds} rounds`);
  });

  it('notices a death in a long pause at once', async () => {
    await watch(await smallService('store'), { watchProbeMs: foreverMs });

    supervisor.kill('store');

    await until('it runs again', () => kinds().filter((kind) => kind === 'healthy').length === 2);
    assert.match(died()?.message ?? '', /store died \(killed by SIGKILL\)/);
  });

  it('notices a death at once while a probe hangs', async () => {
    const { service, isAsked } = await hangingLater();
    await watch(service, {});
    await until('a probe hangs', isAsked);

    supervisor.kill('mute');

    const { message } = await until('the death is told', died);
    assert.match(message, /mute died \(killed by SIGKILL\)/);
  });

  it('ends at once in a long pause when told to stop', async () => {
    await watch(await smallService('store'), { watchProbeMs: foreverMs });

    await supervisor.stop();

    assert.deepEqual(kinds(), ['started', 'healthy', 'stopped']);
  });

  it('ends at once when told to stop while a probe hangs', async () => {
    const { service, isAsked } = await hangingLater();
    await watch(service, {});
    await until('a probe hangs', isAsked);

    await supervisor.stop();

    assert.deepEqual(kinds(), ['started', 'healthy', 'stopped']);
  });

  it('stops at once a service whose first probe hangs', async () => {
    const service = await smallService('mute');
    let isAsked = false;
    const probe = (): Promise<void> => {
      isAsked = true;
      return gate().passed;
    };
    const starting = assert.rejects(watch({ ...service, probe }, {}), { name: 'Interrupted' });
    await until('a probe hangs', () => isAsked);

    await supervisor.stop();

    await starting;
    assert.deepEqual(kinds(), ['started', 'stopped']);
  });

  it('calls a service unhealthy after some failed probes, and running again after one that works', async () => {
    const service = await smallService('moody');
    let isMoody = false;
    const probe = (): Promise<void> => (isMoody ? Promise.reject(new Error('not now')) : service.probe());
    await watch({ ...service, probe }, { restartAfter: 1_000 });

    isMoody = true;
    await until('it is unhealthy', () => state() === 'unhealthy');
    isMoody = false;
    await until('it is running', () => state() === 'running');

    assert.deepEqual(kinds(), ['started', 'healthy']);
  });

  it('restarts a service after so many failed probes in a row, not one sooner or later', async () => {
    const service = await smallService('moody');
    // Once it is up: two failures, an answer, which starts the count again, then failures only.
    const answers = [false, false, true];
    let failures = 0;
    const probe = async (): Promise<void> => {
      if (died() || !kinds().includes('healthy') || answers.shift()) return service.probe();
      failures++;
      throw new Error('not now');
    };
    await watch({ ...service, probe }, { restartAfter: 3 });

    const { message } = await until('the death is told', died);

    assert.match(message, /no answer to 3 probes: not now/);
    assert.equal(failures, 2 + 3);
  });
});
