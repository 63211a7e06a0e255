import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Interrupted } from '../../stack/errors.ts';
import { lockHolder, tryLock, waitForLock } from '../../stack/lock.ts';
import { identify } from '../../stack/supervisor/identity.ts';
import { until } from '../support/wait.ts';
import { temporaryFolder } from './small-services.ts';

describe('a lock file', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let path: string;

  beforeEach(() => {
    folder = temporaryFolder();
    path = join(folder.path, 'run', 'some.lock');
  });

  afterEach(() => folder.remove());

  it('is held by one at a time, and says by whom', () => {
    const first = tryLock(path);
    const second = tryLock(path);

    assert.ok('lock' in first);
    assert.ok('holder' in second);
    assert.equal(second.holder.pid, process.pid);
    first.lock.release();
    assert.equal(lockHolder(path), undefined);
    assert.ok('lock' in tryLock(path));
  });

  it('is free when its holder was killed', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const holder = await until('it runs', () => identify(child.pid ?? 0));
    assert.ok('lock' in tryLock(path));
    writeFileSync(path, JSON.stringify({ ...holder, command: 'x', since: 'y' }));
    assert.ok('holder' in tryLock(path));

    child.kill('SIGKILL');
    await until('it is gone', () => identify(child.pid ?? 0) === undefined);

    assert.ok('lock' in tryLock(path));
  });

  it('is free when its file is damaged', () => {
    tryLock(path);
    writeFileSync(path, '{');

    assert.ok('lock' in tryLock(path));
  });

  it('lets others wait, and tells them for whom', async () => {
    const first = tryLock(path);
    assert.ok('lock' in first);
    const waitedFor: number[] = [];
    const waiting = waitForLock(path, { onWait: (pid) => waitedFor.push(pid) });
    setTimeout(() => first.lock.release(), 50);

    (await waiting).release();

    assert.deepEqual(waitedFor, [process.pid]);
    assert.ok(!existsSync(path));
  });

  it('stops waiting when interrupted', async () => {
    tryLock(path);
    const waiting = waitForLock(path, { signal: AbortSignal.timeout(50) });

    await assert.rejects(waiting, Interrupted);
  });
});
