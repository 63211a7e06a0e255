import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { startDriversWorld, type Append, type DriversWorld } from '../support/delta-drivers.ts';
import { gate, until } from '../support/wait.ts';

/**
 * Two Spark drivers, each a JVM of its own, over one MinIO. Tables under s3a:// are written as Segue writes them, those under
 * s3:// with the log store that Delta takes by itself.
 */
describe("Delta's log on an S3 store", function () {
  this.timeout(600_000);
  let world: DriversWorld;
  before(async () => {
    world = await startDriversWorld();
  });
  after(() => world.stop());
  afterEach(() => world.proxy.treat(() => ({ kind: 'pass' })));

  it('loses a commit with the log store of Delta when another driver commits between its look and its write', async () => {
    const { failed, ids } = await commitInTheWindow('s3://lake/deltas-store');
    assert.equal(failed, undefined);
    // Both drivers were told that they had committed; what the second wrote is gone.
    assert.deepEqual(ids, ['0', 'first']);
  });

  it('loses none with ours: the driver that comes too late takes the next version', async () => {
    const { failed, ids } = await commitInTheWindow('s3a://lake/our-store');
    assert.equal(failed, undefined);
    assert.deepEqual(ids, ['0', 'first', 'second']);
  });

  it('lets a driver that wakes up late commit nothing of what its successor has committed', async () => {
    const { failed, ids } = await commitInTheWindow('s3a://lake/zombie', { txn: ['file-a/sha', 1] });
    assert.match(failed ?? '', /ConcurrentTransaction|DELTA_CONCURRENT_TRANSACTION/);
    // The same unit of work by two drivers: here the rows tell them apart.
    assert.deepEqual(ids, ['0', 'second']);
  });

  it('loses none when the driver that comes too late is a job that commits by itself', async () => {
    const { failed, ids } = await commitInTheWindow('s3a://lake/tables/of-a-job', { by: 'job' });
    assert.equal(failed, undefined);
    assert.deepEqual(ids, ['0', 'first', 'second']);
  });

  it('lets such a job commit nothing of what its successor has committed', async () => {
    const { failed, ids } = await commitInTheWindow('s3a://lake/tables/of-a-late-job', {
      txn: ['run/table', 1],
      by: 'job',
    });
    assert.equal(failed, undefined);
    assert.deepEqual(ids, ['0', 'second']);
  });

  it('recognises its own commit when the answer to it was lost, and writes it once', async () => {
    const table = 's3a://lake/lost-answer';
    await world.first.append({ table, id: '0' });
    let lost = 0;
    world.proxy.treat((request) => {
      if (!isCommit(request, 1) || lost > 0) return { kind: 'pass' };
      lost++;
      return { kind: 'lose answer' };
    });
    await world.first.append({ table, id: '1' });
    assert.equal(lost, 1);
    assert.deepEqual(await world.second.ids(table), ['0', '1']);
  });

  it('keeps every row of two drivers that race', async () => {
    const table = 's3a://lake/race';
    const idsOf = (name: string): string[] => Array.from({ length: 4 }, (_, index) => `${name}-${index}`);
    await world.first.append({ table, id: '0' });
    await Promise.all([world.first.appendAll(table, idsOf('a')), world.second.appendAll(table, idsOf('b'))]);
    assert.deepEqual(await world.second.ids(table), ['0', ...idsOf('a'), ...idsOf('b')]);
  });

  it('refuses a store that does not keep the condition, and says what may be done', async () => {
    world.proxy.treat(() => ({ kind: 'forget condition' }));
    await assert.rejects(
      world.first.append({ table: 's3a://careless/table', id: '1' }),
      /UnsafeStoreException.*s3a:\/\/careless has no conditional writes.*segue\.logstore\.single\.driver=true/s,
    );
    // Nothing of it stays: neither a commit nor the probe.
    assert.deepEqual(
      (await world.objects('careless/table/_delta_log')).filter((name) => /json|probe/.test(name)),
      [],
    );
  });

  it('takes such a store when it is told that one driver alone writes to it', async () => {
    world.proxy.treat(() => ({ kind: 'forget condition' }));
    await world.first.sql('SET segue.logstore.single.driver=true');
    try {
      await world.first.append({ table: 's3a://promised/table', id: '1' });
      assert.deepEqual(await world.second.ids('s3a://promised/table'), ['1']);
    } finally {
      await world.first.sql('SET segue.logstore.single.driver=false');
    }
  });

  /** The first driver's commit of version 1 is held while the second driver commits version 1. */
  async function commitInTheWindow(
    table: string,
    { txn, by }: Pick<Append, 'txn' | 'by'> = {},
  ): Promise<{ readonly failed: string | undefined; readonly ids: readonly string[] }> {
    await world.first.append({ table, id: '0' });
    const window = gate();
    let isHeld = false;
    world.proxy.treat((request) => {
      if (!isCommit(request, 1) || isHeld) return { kind: 'pass' };
      isHeld = true;
      return { kind: 'hold', until: window.passed };
    });
    const late = world.first.append({ table, id: 'first', ...(txn && { txn }), ...(by && { by }) }).then(
      () => undefined,
      (error: unknown) => String(error),
    );
    await until('the first driver is about to write', () => isHeld, { timeoutMs: 180_000 });
    await world.second.append({ table, id: 'second', ...(txn && { txn }) });
    window.open();
    return { failed: await late, ids: await world.second.ids(table) };
  }
});

function isCommit({ method, url }: IncomingMessage, version: number): boolean {
  return method === 'PUT' && (url ?? '').includes(`/_delta_log/${String(version).padStart(20, '0')}.json`);
}
