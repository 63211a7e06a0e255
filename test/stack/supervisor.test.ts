import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../stack/free-port.ts';
import { stopStack } from '../../stack/down.ts';
import { identify, isAlive } from '../../stack/supervisor/identity.ts';
import type { KeeperEvent } from '../../stack/supervisor/keeper.ts';
import { readRecord, stackFolders, writeRecord } from '../../stack/supervisor/records.ts';
import { createSupervisor, type Supervisor } from '../../stack/supervisor/supervisor.ts';
import type { ServiceDefinition } from '../../stack/services/service.ts';
import { until } from '../support/wait.ts';
import { hello, impatient, smallService, temporaryFolder } from './small-services.ts';

describe('the supervisor', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let supervisors: Supervisor[];
  let children: ChildProcess[];

  beforeEach(() => {
    folder = temporaryFolder();
    supervisors = [];
    children = [];
  });

  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(supervisors.map((supervisor) => supervisor.stop()));
    await stopStack(folder.path);
    folder.remove();
  });

  function supervise(definitions: readonly ServiceDefinition[], events: KeeperEvent[] = []): Supervisor {
    const supervisor = createSupervisor({
      stateDir: folder.path,
      definitions,
      env: process.env,
      patience: impatient,
      onEvent: (event) => events.push(event),
    });
    supervisors.push(supervisor);
    return supervisor;
  }

  function pidOf(service: string): number {
    const record = readRecord(stackFolders(folder.path).runDir, service);
    assert.ok(record, `${service} has no record`);
    return record.identity.pid;
  }

  it('starts a service only once what it needs is healthy, and stops it first', async () => {
    const events: KeeperEvent[] = [];
    const store = await smallService('store', { before: 'const t = Date.now(); while (Date.now() - t < 200);' });
    const app = await smallService('app', { needs: ['store'] });
    const supervisor = supervise([app, store], events);

    await supervisor.start();
    await supervisor.stop();

    const story = events.map(({ service, kind }) => `${service} ${kind}`);
    assert.deepEqual(story, [
      'store started',
      'store healthy',
      'app started',
      'app healthy',
      'app stopped',
      'store stopped',
    ]);
  });

  it('starts again what dies', async () => {
    const service = await smallService('store');
    const supervisor = supervise([service]);
    await supervisor.start();
    const first = pidOf('store');

    supervisor.kill('store');

    await until('another process answers', () => {
      const [status] = supervisor.status();
      return status?.state === 'running' && status.pid !== undefined && status.pid !== first;
    });
    await hello(service.ports[0]?.port ?? 0);
    assert.equal(readRecord(stackFolders(folder.path).runDir, 'store')?.restarts, 1);
  });

  it('gives up on a service that keeps dying, with the last lines of its log, and stops the others', async () => {
    const broken = await smallService('broken', { code: 'console.error("no such volume"); process.exit(3)' });
    const fine = await smallService('fine');
    const supervisor = supervise([fine, broken]);

    await assert.rejects(supervisor.start(), (error: Error) => {
      assert.equal(error.name, 'StackError');
      assert.match(error.message, /broken died 4 times in a row \(exit code 3\) and is not started again/);
      assert.match(error.message, /no such volume/);
      return true;
    });
    await assert.rejects(hello(fine.ports[0]?.port ?? 0));
  });

  it('tells when a service that had been healthy dies too often, and keeps the others running', async () => {
    const events: KeeperEvent[] = [];
    const once = join(folder.path, 'started-once');
    const dyingLater = await smallService('weak', {
      before: `const fs = require('fs'); if (fs.existsSync(${JSON.stringify(once)})) process.exit(7); fs.writeFileSync(${JSON.stringify(once)}, '')`,
    });
    const fine = await smallService('fine');
    const supervisor = supervise([fine, dyingLater], events);
    await supervisor.start();

    supervisor.kill('weak');

    const surrender = await until('it gave up', () => events.find(({ kind }) => kind === 'gaveUp'));
    assert.match(surrender.message, /weak died 4 times in a row/);
    assert.deepEqual(
      supervisor.status().map(({ name, state }) => `${name} ${state}`),
      ['fine running', 'weak failed'],
    );
    await hello(fine.ports[0]?.port ?? 0);
  });

  it('tries again to set up a young service that answers but cannot be set up yet', async () => {
    let attempts = 0;
    const young: ServiceDefinition = {
      ...(await smallService('young')),
      provision: async () => {
        if (++attempts < 3) throw new Error('no leader yet');
      },
    };
    const supervisor = supervise([young]);

    await supervisor.start();

    assert.equal(attempts, 3);
    assert.equal(supervisor.status()[0]?.state, 'running');
  });

  it('says what the matter was with a service that never became healthy', async () => {
    const sulking: ServiceDefinition = {
      ...(await smallService('sulking')),
      startTimeoutMs: 2_000,
      provision: () => Promise.reject(new Error('no leader yet')),
    };
    // A service that takes long for each vain start is given up after two, however patient one is with a crash.
    await assert.rejects(
      supervise([sulking]).start(),
      /sulking died 2 times in a row \(no answer within 2 s \(no leader yet\)\)/,
    );
  });

  it('restarts a service that runs but answers no more', async () => {
    const service = await smallService('deaf', {
      code: `const s = require('net').createServer((c) => c.end('hello')); s.listen(PORT, '127.0.0.1'); process.on('SIGUSR2', () => { s.close(); setInterval(() => {}, 1000); })`,
    });
    const port = service.ports[0]?.port ?? 0;
    const [flag = '', code = ''] = service.command.args;
    const args = [flag, code.replace('PORT', String(port))];
    const supervisor = supervise([{ ...service, command: { ...service.command, args } }]);
    await supervisor.start();
    const first = pidOf('deaf');

    process.kill(first, 'SIGUSR2');

    await until('another process answers', () => {
      const [status] = supervisor.status();
      return status?.state === 'running' && status.pid !== undefined && status.pid !== first;
    });
    assert.equal(identify(first), undefined);
  });

  it('ends a service that ignores SIGTERM, and the children it started', async () => {
    const child = join(folder.path, 'child.pid');
    const stubborn = await smallService('stubborn', {
      before: `process.on('SIGTERM', () => {}); const c = require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']); require('fs').writeFileSync(${JSON.stringify(child)}, String(c.pid))`,
      stopTimeoutMs: 200,
    });
    const supervisor = supervise([stubborn]);
    await supervisor.start();
    const pids = [pidOf('stubborn'), Number(readFileSync(child, 'utf8'))];
    assert.ok(pids.every((pid) => identify(pid)));

    await supervisor.stop();

    assert.deepEqual(pids.map(identify), [undefined, undefined]);
  });

  it('clears what a dead service left behind before starting it again', async () => {
    const childFile = join(folder.path, 'child.pid');
    const parent = await smallService('parent', {
      before: `const c = require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']); require('fs').writeFileSync(${JSON.stringify(childFile)}, String(c.pid))`,
    });
    const supervisor = supervise([parent]);
    await supervisor.start();
    const leader = pidOf('parent');
    const orphan = Number(readFileSync(childFile, 'utf8'));

    process.kill(leader, 'SIGKILL');

    await until('it runs again', () => {
      const [status] = supervisor.status();
      return status?.state === 'running' && status.pid !== undefined && status.pid !== leader;
    });
    assert.equal(identify(orphan), undefined);
  });

  it('refuses a second supervisor on the same state folder, naming the first and how to stop it', async () => {
    const first = supervise([await smallService('store')]);
    await first.start();
    const second = supervise([await smallService('store')]);

    await assert.rejects(second.start(), (error: Error) => {
      assert.match(error.message, new RegExp(`running already \\(pid ${process.pid},`));
      assert.match(error.message, /npm run stack -- down/);
      return true;
    });
    await second.stop();
    assert.equal(first.status()[0]?.state, 'running');
    assert.ok(identify(pidOf('store')), 'the second one must not touch what the first one runs');
  });

  it('refuses to start anything when a port is taken', async () => {
    const port = await freePort();
    const holder = spawn(process.execPath, ['-e', `require('net').createServer().listen(${port}, '127.0.0.1')`]);
    children.push(holder);
    const probe = await smallService('probe', { port });
    await until('the port is taken', async () => {
      const { isPortFree } = await import('../../stack/supervisor/ports.ts');
      return !(await isPortFree(port));
    });
    const other = await smallService('other');

    await assert.rejects(supervise([other, probe]).start(), (error: Error) => {
      assert.match(error.message, new RegExp(`^Port ${port} \\(probe\\) is taken by pid ${holder.pid} \\(`));
      assert.match(error.message, /set SEGUE_PROBE_PORT to a free port/);
      return true;
    });
    assert.ok(!existsSync(join(stackFolders(folder.path).runDir, 'other.service.json')));
  });

  describe('after a supervisor was killed', () => {
    const script = fileURLToPath(new URL('supervise.ts', import.meta.url));

    /** A supervisor in a process of its own, killed with SIGKILL once its service answers. */
    async function leaveBehind(name: string, port: number): Promise<number> {
      const child = spawn(process.execPath, ['--import', 'tsx', script, folder.path, name, String(port)], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      children.push(child);
      await new Promise((resolve) => child.once('message', resolve));
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
      return pidOf(name);
    }

    it('adopts a healthy service of the same configuration and supervises it', async () => {
      const port = await freePort();
      const left = await leaveBehind('store', port);
      assert.ok(identify(left), 'the service outlives its supervisor');

      const events: KeeperEvent[] = [];
      const next = supervise([await smallService('store', { port })], events);
      await next.start();

      assert.equal(next.status()[0]?.pid, left);
      assert.deepEqual(
        events.map(({ kind }) => kind),
        ['adopted', 'healthy'],
      );
      process.kill(left, 'SIGKILL');
      await until('it runs again', () => {
        const [status] = next.status();
        return status?.state === 'running' && status.pid !== undefined && status.pid !== left;
      });
    }).timeout(20_000);

    it('replaces a service of another configuration', async () => {
      const port = await freePort();
      const left = await leaveBehind('store', port);

      const next = supervise([await smallService('store', { port, env: { COLOUR: 'blue' } })]);
      await next.start();

      assert.equal(identify(left), undefined);
      assert.notEqual(next.status()[0]?.pid, left);
    }).timeout(20_000);

    it('stops a service that the next start does not have', async () => {
      const left = await leaveBehind('old', await freePort());

      await supervise([await smallService('store')]).start();

      assert.equal(identify(left), undefined);
    }).timeout(20_000);

    it('lets down stop what was left', async () => {
      const left = await leaveBehind('store', await freePort());

      assert.equal(await stopStack(folder.path), 1);

      assert.equal(identify(left), undefined);
      assert.equal(readRecord(stackFolders(folder.path).runDir, 'store'), undefined);
    }).timeout(20_000);
  });

  it('leaves alone a stranger that was given the pid of a recorded service', async () => {
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true });
    children.push(stranger);
    const pid = stranger.pid ?? 0;
    const identity = await until('it runs', () => identify(pid));
    const { runDir } = stackFolders(folder.path);
    writeRecord(runDir, {
      service: 'store',
      identity: { pid, startTime: 'long ago' },
      marker: 'somebody else',
      fingerprint: '',
      startedAt: new Date().toISOString(),
      state: 'running',
      restarts: 0,
      ports: [],
      url: null,
      command: [],
    });

    assert.equal(await stopStack(folder.path), 0);

    assert.ok(isAlive(identity));
    assert.equal(readRecord(runDir, 'store'), undefined);
  });

  it('keeps a log that has grown past its bound under another name', async () => {
    const log = join(folder.path, 'logs', 'store.log');
    const service = await smallService('store', { before: 'console.log("fresh")' });
    await import('node:fs').then(({ mkdirSync }) => mkdirSync(join(folder.path, 'logs')));
    writeFileSync(log, 'x'.repeat(51 * 1024 * 1024));
    const supervisor = supervise([service]);

    await supervisor.start();

    assert.equal(readFileSync(log, 'utf8'), 'fresh\n');
    assert.equal(readFileSync(`${log}.1`).length, 51 * 1024 * 1024);
  });
});
