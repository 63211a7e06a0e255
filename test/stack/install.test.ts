import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Interrupted } from '../../stack/errors.ts';
import { binaryItem, findOnPath } from '../../stack/install/binaries.ts';
import { ensureCached, isCached, itemFolder, type CachedItem } from '../../stack/install/cache.ts';
import { refuseFullDisk } from '../../stack/install/disk.ts';
import { checksumsOf, compareChecksums, jarSets } from '../../stack/install/jars.ts';
import { findGo, findJava, findPython, isAtLeast } from '../../stack/install/prerequisites.ts';

import { mendFor, runCommand, type SetUpCommand } from '../../stack/install/run-command.ts';
import { requirementsOf } from '../../stack/install/venv.ts';
import { identify } from '../../stack/supervisor/identity.ts';
import { until } from '../support/wait.ts';
import { temporaryFolder } from './small-services.ts';

const calm = new AbortController().signal;
const silent = (): void => undefined;

describe('the installer', () => {
  let folder: ReturnType<typeof temporaryFolder>;

  beforeEach(() => {
    folder = temporaryFolder();
  });

  afterEach(() => folder.remove());

  /** A program on a PATH of its own that answers with some text. */
  function pathWith(programs: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
    const bin = join(folder.path, 'bin');
    mkdirSync(bin, { recursive: true });
    for (const [name, text] of Object.entries(programs)) {
      writeFileSync(join(bin, name), `#!/bin/sh\n/bin/cat <<'END'\n${text}\nEND\n`);
      chmodSync(join(bin, name), 0o755);
    }
    return { PATH: bin };
  }

  describe('prerequisites', () => {
    it('names a missing Java and how to get it', async () => {
      const { problem } = await findJava({ PATH: folder.path });
      assert.match(problem ?? '', /^Java is missing: no java was found on PATH; install a JDK 17 or newer/);
    });

    it('looks where JAVA_HOME points, and nowhere else', async () => {
      const env = { ...pathWith({ java: 'openjdk version "21.0.1"' }), JAVA_HOME: join(folder.path, 'gone') };
      assert.match((await findJava(env)).problem ?? '', /JAVA_HOME \(.*gone\) has no bin\/java/);
    });

    it('refuses a Java that is too old, in the old numbering too', async () => {
      const old = await findJava(pathWith({ java: 'openjdk version "1.8.0_392"' }));
      assert.match(old.problem ?? '', /^Java 8 is too old/);
      const fit = await findJava(pathWith({ java: 'openjdk version "17.0.15" 2025-04-15', javac: 'javac 17.0.15' }));
      assert.equal(fit.found?.version, '17.0.15');
    });

    it('refuses a Java without a compiler that is new enough', async () => {
      const java = 'openjdk version "17.0.15" 2025-04-15';
      const runtimeOnly = await findJava(pathWith({ java }));
      assert.match(
        runtimeOnly.problem ?? '',
        /^Java cannot compile here: no javac .* on PATH; install a JDK 17 or newer/,
      );
      const env = pathWith({ java, javac: 'javac 1.8.0_392' });
      assert.match((await findJava(env)).problem ?? '', /no javac 17 or newer/);
      const homeEnv = { ...env, JAVA_HOME: folder.path };
      assert.match((await findJava(homeEnv)).problem ?? '', /no javac 17 or newer was found in JAVA_HOME \(/);
    });

    it('takes the first Python that is new enough and has venv', async () => {
      const env = pathWith({ python3: '3.9.2 True', 'python3.12': '3.12.1 False', 'python3.11': '3.11.7 True' });
      assert.deepEqual((await findPython(env)).found, { file: 'python3.11', version: '3.11.7' });
    });

    it('says what is wrong with each Python when none fits', async () => {
      const { problem } = await findPython(pathWith({ python3: '3.9.2 True', 'python3.12': '3.12.1 False' }));
      assert.match(problem ?? '', /python3\.12 3\.12\.1 has no venv module/);
      assert.match(problem ?? '', /python3 is 3\.9\.2, too old/);
      assert.match(problem ?? '', /python3-venv/);
    });

    it('names a missing and an old Go, and the way without it', async () => {
      assert.match((await findGo({ PATH: folder.path })).problem ?? '', /^Go is missing.*or put temporal, minio/);
      assert.match(
        (await findGo(pathWith({ go: 'go version go1.21.5 linux/amd64' }))).problem ?? '',
        /^Go 1\.21\.5 is/,
      );
    });

    it('compares versions by number, not by text', () => {
      assert.equal(isAtLeast('3.10.0', [3, 9]), true);
      assert.equal(isAtLeast('3.9', [3, 10]), false);
      assert.equal(isAtLeast('20.19.0', [20, 19]), true);
      assert.equal(isAtLeast('22.1.0', [20, 19]), true);
    });
  });

  describe('programs on PATH', () => {
    it('takes a Temporal whose server is new enough', async () => {
      const fit = pathWith({ temporal: 'temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)' });
      assert.equal(await findOnPath('temporal', fit), 'temporal');
      const old = pathWith({ temporal: 'temporal version 1.0.0 (Server 1.24.2, UI 2.28.0)' });
      assert.equal(await findOnPath('temporal', old), undefined);
    });

    it('does not take Midnight Commander for MinIO’s client', async () => {
      const commander = pathWith({ mc: 'GNU Midnight Commander 4.8.29' });
      assert.equal(await findOnPath('mc', commander), undefined);
      const client = pathWith({ mc: 'mc version RELEASE.2025-03-12T17-29-24Z\nCopyright (c) 2015-2025 MinIO, Inc.' });
      assert.equal(await findOnPath('mc', client), 'mc');
    });

    it('does not take a MinIO from before conditional writes', async () => {
      const old = pathWith({ minio: 'minio version RELEASE.2023-01-20T02-05-44Z' });
      assert.equal(await findOnPath('minio', old), undefined);
    });
  });

  describe('the cache', () => {
    it('builds once, and another definition elsewhere', async () => {
      let builds = 0;
      const build = async (target: string): Promise<void> => {
        builds++;
        writeFileSync(join(target, 'content'), String(builds));
      };

      const first = await ensureCached(folder.path, item('a', build), calm, silent);
      assert.equal(await ensureCached(folder.path, item('a', build), calm, silent), first);
      const other = await ensureCached(folder.path, item('b', build), calm, silent);

      assert.equal(builds, 2);
      assert.notEqual(other, first);
    });

    it('starts anew over what an interrupted build left', async () => {
      const broken = item('a', async (target) => {
        writeFileSync(join(target, 'half'), '');
        throw new Error('pulled the plug');
      });
      await assert.rejects(ensureCached(folder.path, broken, calm, silent), /pulled the plug/);
      assert.equal(isCached(folder.path, broken), false);

      const whole = item('a', async (target) => writeFileSync(join(target, 'whole'), ''));
      const place = await ensureCached(folder.path, whole, calm, silent);

      assert.deepEqual(
        readdirSync(place).filter((name) => !name.startsWith('.')),
        ['whole'],
      );
      assert.deepEqual(readdirSync(folder.path), [place.split('/').at(-1)], 'no lock is left behind');
    });

    it('lets a second set-up wait for the first instead of building too', async () => {
      let builds = 0;
      const slow = item('a', async () => {
        builds++;
        await new Promise((resolve) => setTimeout(resolve, 100));
      });
      const said: string[] = [];

      await Promise.all([
        ensureCached(folder.path, slow, calm, silent),
        ensureCached(folder.path, slow, calm, (detail) => said.push(detail)),
      ]);

      assert.equal(builds, 1);
      assert.deepEqual(said, [`another set-up (pid ${process.pid}) is at it; waiting`]);
    });

    it('builds anew what is whole but does not work any more', async () => {
      const venv: CachedItem = {
        ...item('a', async (target) => writeFileSync(join(target, 'python'), '')),
        isUsable: (target) => existsSync(join(target, 'python')),
      };
      const place = await ensureCached(folder.path, venv, calm, silent);
      rmSync(join(place, 'python'));
      assert.equal(isCached(folder.path, venv), false);

      await ensureCached(folder.path, venv, calm, silent);

      assert.ok(existsSync(join(place, 'python')));
    });

    it('keys a program by its go.mod and go.sum', () => {
      const key = itemFolder('/cache', binaryItem('mc'));
      assert.match(key, /^\/cache\/mc-[0-9a-f]{12}$/);
      assert.notEqual(key, itemFolder('/cache', binaryItem('minio')));
    });
  });

  describe('commands', () => {
    it('tell what failed, their last lines, and what to do', async () => {
      const noisy = node(
        'for (let n = 0; n < 50; n++) console.log("line", n); console.error("dial tcp: no such host"); process.exit(2)',
      );
      await assert.rejects(runCommand(noisy), (error: Error) => {
        assert.equal(error.name, 'StackError');
        assert.match(error.message, /^Trying failed \(exit code 2\)/);
        assert.match(error.message, /line 49/);
        assert.doesNotMatch(error.message, /line 5\n/);
        assert.match(error.message, /What to do: the registry cannot be reached/);
        return true;
      });
    });

    it('that cannot be run are a clear error', async () => {
      const missing = { purpose: 'Trying', file: '/nowhere/tool', args: [], signal: calm };
      await assert.rejects(runCommand(missing), /Trying: \/nowhere\/tool cannot be run/);
    });

    it('end with all they started when the user interrupts', async () => {
      const interrupt = new AbortController();
      const pids: number[] = [];
      const running = runCommand({
        ...node(
          'const c = require("child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]); console.log(process.pid); console.log(c.pid); setInterval(() => {}, 1000)',
        ),
        signal: interrupt.signal,
        onLine: (line) => {
          pids.push(Number(line));
          if (pids.length === 2) interrupt.abort();
        },
      });

      await assert.rejects(running, Interrupted);
      await until('both are gone', () => pids.every((pid) => identify(pid) === undefined));
    });

    it('have a mend for what usually goes wrong', () => {
      assert.match(mendFor('write /x: no space left on device'), /the disk is full/);
      assert.match(mendFor('ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM'), /not what was pinned/);
      assert.match(mendFor('compile: signal: killed'), /out of memory/);
      assert.match(mendFor('Could not transfer artifact x from/to y'), /Maven’s settings\.xml/);
      assert.match(mendFor('something else'), /doctor/);
    });
  });

  it('finds every difference between pinned and found jars', () => {
    const pinned = checksumLine('a.jar', '1') + checksumLine('b.jar', '2') + checksumLine('c.jar', '3');
    const found = checksumLine('a.jar', '1') + checksumLine('b.jar', '9') + checksumLine('d.jar', '4');

    assert.deepEqual(compareChecksums(pinned, found), [
      'c.jar is missing',
      'd.jar is not pinned',
      'b.jar has other content',
    ]);
    assert.deepEqual(compareChecksums(pinned, pinned), []);
  });

  it('writes checksums as sha256sum does', () => {
    writeFileSync(join(folder.path, 'empty.jar'), '');
    writeFileSync(join(folder.path, 'notes.txt'), 'not a jar');
    const sha256OfNothing = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    assert.equal(checksumsOf(folder.path), `${sha256OfNothing}  empty.jar\n`);
  });

  it('has a checksum for every jar that a pom names', () => {
    for (const pom of Object.values(jarSets)) {
      const pinned = readFileSync(join(dirname(pom), 'jars.sha256'), 'utf8');
      // Own properties are resolved, exclusions are not artifacts of ours.
      const text = readFileSync(pom, 'utf8').replaceAll(/<exclusions>[\s\S]*?<\/exclusions>/g, '');
      const properties = Object.fromEntries([...text.matchAll(/<([\w.]+)>([^<]+)<\/\1>/g)].map(([, k, v]) => [k, v]));
      const fill = (value = ''): string => value.replaceAll(/\$\{([\w.]+)\}/g, (_, name) => properties[name] ?? '');
      const dependencies = [...text.matchAll(/<dependency>[\s\S]*?<\/dependency>/g)].map(([block]) => {
        const part = (tag: string): string => fill(new RegExp(`<${tag}>(.*?)</${tag}>`).exec(block)?.[1]);
        return `${part('artifactId')}-${part('version')}.jar`;
      });
      assert.ok(dependencies.length > 0);
      for (const jar of dependencies) assert.ok(pinned.includes(`  ${jar}\n`), `${jar} is not pinned`);
    }
  });

  it('takes the entries of some packages from a lock, with their hashes', () => {
    const lock = [
      '# made by a tool',
      'pyspark==4.2.0 \\',
      '    --hash=sha256:aa',
      'setuptools==80.0.0 \\',
      '    --hash=sha256:bb \\',
      '    --hash=sha256:cc',
      '    # via -r requirements.in',
      'wheel==0.45.1 --hash=sha256:dd',
      '',
    ].join('\n');
    const wanted = requirementsOf(lock, ['setuptools', 'wheel']);
    assert.match(wanted, /^setuptools==80\.0\.0 \\\n {4}--hash=sha256:bb/);
    assert.match(wanted, /wheel==0\.45\.1/);
    assert.doesNotMatch(wanted, /pyspark/);
  });

  it('refuses a disk without the room it needs, before it starts', async () => {
    await refuseFullDisk(folder.path, 1, 'SEGUE_CACHE_DIR');
    await assert.rejects(
      refuseFullDisk(folder.path, 2 ** 60, 'SEGUE_CACHE_DIR'),
      /^StackError: The disk is full: .* this needs about .* GiB.*SEGUE_CACHE_DIR/,
    );
  });
});

function item(definition: string, build: CachedItem['build']): CachedItem {
  return { name: 'thing', definition: [definition], build };
}

function node(code: string): SetUpCommand {
  return { purpose: 'Trying', file: process.execPath, args: ['-e', code], signal: calm };
}

function checksumLine(name: string, digit: string): string {
  return `${digit.repeat(64)}  ${name}\n`;
}
