import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { execa } from 'execa';
import { Kafka, logLevel } from 'kafkajs';
import { topics } from '../../contracts/topics.ts';
import { createObjectStore, type ObjectStore } from '../../platform/object-store.ts';
import { readSecretFile, secretFiles } from '../../stack/secrets.ts';
import { startStack, type RunningStack } from '../../stack/stack.ts';
import { identify } from '../../stack/supervisor/identity.ts';
import { readRecords, stackFolders } from '../../stack/supervisor/records.ts';
import { temporaryFolder } from '../stack/small-services.ts';
import { until } from '../support/wait.ts';

describe('the embedded stack', function () {
  this.timeout(240_000);
  let folder: ReturnType<typeof temporaryFolder>;
  let stack: RunningStack;

  // A Spark that the user has elsewhere.
  const othersSpark = { SPARK_HOME: '/nowhere', SPARK_CONF_DIR: '/nowhere', SPARK_REMOTE: 'sc://127.0.0.1:1' };
  const former = Object.keys(othersSpark).map((name) => [name, process.env[name]] as const);

  before(async () => {
    folder = temporaryFolder();
    Object.assign(process.env, othersSpark);
    stack = await startStack({ stateDir: folder.path });
  });

  after(async () => {
    for (const [name, value] of former) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    await stack?.stop();
    folder.remove();
  });

  function storeAs(user: string, password: string): ObjectStore {
    return createObjectStore({
      endpoint: stack.env['SEGUE_S3_ENDPOINT'] ?? '',
      region: 'us-east-1',
      accessKey: user,
      secretKey: password,
    });
  }

  function pipelineStore(): ObjectStore {
    const { minioUser, minioPass } = secretFiles(stack.settings.secretsDir);
    return storeAs(readSecretFile(minioUser), readSecretFile(minioPass));
  }

  it('runs every service, each in a process group of its own', () => {
    const status = stack.status();
    assert.deepEqual(
      status.map(({ name, state }) => `${name} ${state}`),
      ['temporal running', 'minio running', 'kafka running', 'spark running', 'worker running', 'api running'],
    );
    const groups = status.map(({ pid }) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[2]);
    assert.deepEqual(
      groups,
      status.map(({ pid }) => String(pid)),
    );
  });

  it('does not let in what the user has set for another Spark', () => {
    const spark = environmentOf(stack, 'spark');
    assert.equal(spark['SPARK_REMOTE'], undefined);
    assert.equal(spark['SPARK_HOME'], stack.installed.sparkHome);
    assert.notEqual(spark['SPARK_CONF_DIR'], othersSpark.SPARK_CONF_DIR);
  });

  it('listens on the loopback interface only', () => {
    const inodes = new Set(stack.status().flatMap(({ pid }) => (pid === undefined ? [] : socketInodesOf(pid))));
    assert.ok(inodes.size > 0);
    const addresses = ['tcp', 'tcp6'].flatMap((table) => listeningAddresses(table, inodes));
    assert.ok(addresses.length >= 10, `only ${addresses.length} listening sockets were found`);
    // 127.0.0.1 in the kernel's byte order; ::ffff:127.0.0.1 for servers that speak both; ::1.
    const loopback = ['0100007F', '0000000000000000FFFF00000100007F', '00000000000000000000000001000000'];
    assert.deepEqual(
      addresses.filter((address) => !loopback.includes(address)),
      [],
    );
  });

  it('lets the pipeline’s user read, write and delete in the lake’s buckets', async () => {
    const store = pipelineStore();
    for (const bucket of ['landing', 'data', 'serving']) {
      const key = 'test/rights.txt';
      await store.put(bucket, key, 'may');
      assert.equal((await store.get(bucket, key))?.body.toString(), 'may');
      assert.deepEqual(await store.list(bucket, 'test/'), [key]);
      await store.remove(bucket, key);
      assert.equal(await store.head(bucket, key), undefined);
    }
  });

  it('refuses the pipeline’s user another bucket, and the administration', async () => {
    const { minioUser, minioPass, minioRootUser, minioRootPass } = secretFiles(stack.settings.secretsDir);
    const as = (user: string, pass: string) => {
      const url = new URL(stack.env['SEGUE_S3_ENDPOINT'] ?? '');
      url.username = readSecretFile(user);
      url.password = readSecretFile(pass);
      const env = { MC_CONFIG_DIR: join(folder.path, 'mc'), MC_HOST_it: url.href.replace(/\/$/, '') };
      return (...args: string[]) => execa(stack.installed.mc, args, { env, all: true, reject: false });
    };
    const root = as(minioRootUser, minioRootPass);
    const pipeline = as(minioUser, minioPass);
    assert.equal((await root('mb', 'it/private')).exitCode, 0);
    await storeAs(readSecretFile(minioRootUser), readSecretFile(minioRootPass)).put('private', 'secret.txt', 'x');

    await assert.rejects(pipelineStore().get('private', 'secret.txt'), /denied/i);
    await assert.rejects(pipelineStore().put('private', 'mine.txt', 'x'), /denied/i);
    for (const args of [
      ['mb', 'it/another'],
      ['admin', 'user', 'list', 'it'],
      ['rb', 'it/data'],
    ]) {
      const { exitCode, all } = await pipeline(...args);
      assert.notEqual(exitCode, 0, `mc ${args.join(' ')} was allowed: ${all}`);
      assert.match(all, /denied/i);
    }
  });

  it('shows no secret among the arguments of any process', () => {
    const secrets = Object.values(secretFiles(stack.settings.secretsDir))
      .filter((path) => !path.includes('user'))
      .map(readSecretFile);
    for (const { pid } of stack.status()) {
      const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      for (const secret of secrets) assert.ok(!commandLine.includes(secret));
    }
  });

  it('has the contract’s topics, and makes no topic on its own', async () => {
    const kafka = new Kafka({
      brokers: [stack.env['SEGUE_KAFKA_BROKERS'] ?? ''],
      logLevel: logLevel.NOTHING,
      retry: { retries: 0 },
    });
    const admin = kafka.admin();
    await admin.connect();
    try {
      const present = await admin.fetchTopicMetadata({ topics: topics.map(({ name }) => name) });
      assert.deepEqual(
        present.topics.map(({ name, partitions }) => [name, partitions.length]).toSorted(byName),
        topics.map(({ name, partitions }) => [name, partitions]).toSorted(byName),
      );
      await assert.rejects(admin.fetchTopicMetadata({ topics: ['nobody-made-this'] }), /does not host/);
    } finally {
      await admin.disconnect();
    }
  });

  it('knows the search attribute by which weeks are found', async () => {
    const connection = await Connection.connect({ address: stack.env['SEGUE_TEMPORAL_ADDRESS'] ?? '' });
    try {
      const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
      // 2 is Keyword in Temporal's IndexedValueType.
      assert.equal(customAttributes?.['SegueWeek'], 2);
    } finally {
      await connection.close();
    }
  });

  it('starts a killed service again, and it works', async () => {
    const before = stack.status().find(({ name }) => name === 'minio')?.pid;
    assert.ok(before);

    stack.kill('minio');

    await until(
      'another MinIO runs',
      () => stack.status().some(({ name, state, pid }) => name === 'minio' && state === 'running' && pid !== before),
      { timeoutMs: 30_000 },
    );
    assert.equal(identify(before), undefined);
    // Node keeps connections open between requests; the first use of one that the crash cut fails, as for any client.
    await until('the new MinIO takes a write', () =>
      pipelineStore()
        .put('data', 'test/after-the-crash.txt', 'still here')
        .then(
          () => true,
          () => false,
        ),
    );
    await pipelineStore().remove('data', 'test/after-the-crash.txt');
  });

  it('ends everything within 20 s and leaves nothing behind', async () => {
    const { runDir } = stackFolders(folder.path);
    const pids = readRecords(runDir).map(({ identity }) => identity.pid);
    assert.equal(pids.length, 6);
    const startedAt = Date.now();

    await stack.stop();

    assert.ok(Date.now() - startedAt < 20_000, `it took ${Date.now() - startedAt} ms`);
    assert.deepEqual(pids.map(identify).filter(Boolean), []);
    assert.deepEqual(readRecords(runDir), []);
  });
});

function byName([one]: readonly unknown[], [other]: readonly unknown[]): number {
  return String(one) < String(other) ? -1 : 1;
}

/** Inode numbers of the sockets a process holds. */
function socketInodesOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
    } catch {
      // Closed since it was listed.
      return [];
    }
  });
}

/** The addresses (as the kernel writes them) on which some of these sockets listen. */
function listeningAddresses(table: string, inodes: ReadonlySet<string>): string[] {
  const rows = readFileSync(`/proc/net/${table}`, 'utf8').trim().split('\n').slice(1);
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter((fields) => fields[3] === '0A' && inodes.has(fields[9] ?? ''))
    .map((fields) => fields[1]?.split(':')[0] ?? '');
}

/** The environment that a service's process was started with. */
function environmentOf(stack: RunningStack, service: string): Record<string, string> {
  const pid = stack.status().find(({ name }) => name === service)?.pid;
  const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean);
  return Object.fromEntries(variables.map((variable) => variable.split(/=(.*)/s).slice(0, 2)));
}
