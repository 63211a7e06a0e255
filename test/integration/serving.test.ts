import assert from 'node:assert/strict';
import { WithStartWorkflowOperation } from '@temporalio/client';
import { failure } from '../../activities/failures.ts';
import { createPublicationActivities } from '../../activities/index.ts';
import { createModels } from '../../api/models.ts';
import type { Activities } from '../../contracts/activities.ts';
import { lake } from '../../contracts/lake.ts';
import type { RefreshResult, RollbackResult } from '../../contracts/runs.ts';
import { ask, startApi, testToken as token, type ApiWorld } from '../support/api-world.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { scripted } from '../support/scripted-activities.ts';
import { exportSnapshot, smallTables } from '../support/snapshots.ts';
import { startTemporal, withWorker, type TemporalFixture, type World } from '../support/temporal.ts';

/** From a run of the real workflow, on a real Temporal server, to the answer over HTTP; only Spark's jobs are scripted. */
describe('what is served after a refresh', function () {
  this.timeout(60_000);
  let fixture: TemporalFixture;
  before(async function () {
    this.timeout(120_000);
    fixture = await startTemporal();
  });
  after(() => fixture?.env.teardown());

  it('is the new model, and after a rollback by HTTP the one before, until something new arrives', async () => {
    await withServing(fixture, {}, async ({ api, refresh }) => {
      const first = await refresh();
      const second = await refresh();
      assert.deepEqual(
        [first.outcome, second.outcome, await served(api)],
        ['published', 'published', second.modelVersion],
      );

      const back = await post(api, '/pipeline/rollback', { model_version: first.modelVersion });
      assert.deepEqual(
        [back.status, back.body],
        [200, { model_version: first.modelVersion, previous: second.modelVersion, outcome: 'published' }],
      );
      assert.equal(await served(api), first.modelVersion);
      const { body } = await ask(api, '/pipeline/models');
      assert.equal(body['served'], first.modelVersion);
      assert.deepEqual(
        (body['history'] as { model_version: string; by: string }[]).map(({ model_version: version, by }) => [
          version,
          by,
        ]),
        [
          [first.modelVersion, 'rollback'],
          [second.modelVersion, 'refresh'],
          [first.modelVersion, 'refresh'],
        ],
      );
      const nothingNew = await refresh({});
      assert.deepEqual([nothingNew.outcome, nothingNew.modelVersion], ['unchanged', first.modelVersion]);
    });
  });

  it('can be rolled back by an update that starts its workflow, as the temporal CLI does it', async () => {
    await withServing(fixture, {}, async ({ api, refresh, world }) => {
      const first = await refresh();
      await refresh();
      const result = await fixture.env.client.workflow.executeUpdateWithStart('rollBack', {
        args: [{ modelVersion: first.modelVersion }],
        startWorkflowOperation: new WithStartWorkflowOperation('rollbackModel', {
          taskQueue: world.taskQueue,
          workflowId: `rollback-${world.taskQueue}`,
          workflowIdConflictPolicy: 'USE_EXISTING',
          args: [],
        }),
      });
      assert.equal((result as RollbackResult).outcome, 'published');
      assert.equal(await served(api), first.modelVersion);
    });
  });

  it('stays when a rollback names a model that was never published, or one whose snapshot is broken by now', async () => {
    await withServing(fixture, {}, async ({ api, refresh, store }) => {
      const first = await refresh();
      const second = await refresh();
      const unknown = await post(api, '/pipeline/rollback', { model_version: 'als-0' });
      assert.deepEqual([unknown.status, unknown.body['code']], [404, 'unknown_model']);
      await store.put(lake.buckets.serving, `snapshots/${first.modelVersion}/tracks.arrow`, 'damaged');
      const broken = await post(api, '/pipeline/rollback', { model_version: first.modelVersion });
      assert.deepEqual([broken.status, broken.body['code']], [409, 'rollback_refused']);
      assert.match(String(broken.body['detail']), /tracks\.arrow is not what its manifest says/);
      assert.equal(await served(api), second.modelVersion);
      assert.equal((await post(api, '/pipeline/rollback', {})).status, 400);
      assert.equal((await ask(api, '/pipeline/rollback', { method: 'POST', body: {} })).status, 401);
    });
  });

  it('stays when the snapshot of a refresh is damaged before it is published, and when it is damaged after that', async () => {
    let isDamaged = false;
    const store = createMemoryStore();
    const exportDamaged: Activities['exportSnapshot'] = async ({ modelVersion }) => {
      const exported = await exportSnapshot(store, modelVersion);
      if (isDamaged) await store.put(lake.buckets.serving, `snapshots/${modelVersion}/trending.arrow`, 'damaged');
      return exported;
    };
    await withServing(
      fixture,
      { exportSnapshot: exportDamaged },
      async ({ api, refresh }) => {
        const good = await refresh();
        isDamaged = true;
        await assert.rejects(refresh());
        assert.equal(await served(api), good.modelVersion);
        // Somebody moves the pointer by hand to what was refused: the API does not serve it either.
        const broken = [...store.objects.keys()].find(
          (name) => name.endsWith('manifest.json') && !name.includes(good.modelVersion),
        )!;
        const key = broken.slice(`${lake.buckets.serving}/`.length);
        const pointer = (await store.get(lake.buckets.serving, lake.prefixes.pointer))!.body.toString();
        const moved = { ...(JSON.parse(pointer) as object), manifestKey: key, manifestSha256: 'other' };
        await store.put(lake.buckets.serving, lake.prefixes.pointer, JSON.stringify(moved));
        assert.equal(await served(api), good.modelVersion);
      },
      store,
    );
  });

  it('names the table and the check when a hard check fails, and stays', async () => {
    const failing = 'build_silver: silver/listening_events version 3: event_id is not unique is 2, expected 0 keys';
    let isFailing = false;
    const overrides: Partial<Activities> = {
      buildSilver: async (input) => {
        if (isFailing) throw failure('TableCheckFailed', failing);
        return scripted().activities.buildSilver(input);
      },
    };
    await withServing(fixture, overrides, async ({ api, refresh }) => {
      const good = await refresh();
      isFailing = true;
      await assert.rejects(refresh(), (error) => causes(error).includes(failing));
      assert.equal(await served(api), good.modelVersion);
    });
  });
});

describe('the gate of a refresh', function () {
  this.timeout(60_000);
  let fixture: TemporalFixture;
  before(async function () {
    this.timeout(120_000);
    fixture = await startTemporal();
  });
  after(() => fixture?.env.teardown());

  it('keeps what is served when the new model is worse, says why, and does not train again on the same', async () => {
    let isWorse = false;
    const why = 'worse than the model that is served: NDCG 0.1000 against 0.2000';
    const judged: string[] = [];
    const overrides: Partial<Activities> = {
      evaluateModel: async ({ modelVersion, servedModelVersion }) => {
        judged.push(servedModelVersion ?? 'none');
        return {
          modelVersion,
          promoted: !isWorse,
          why: isWorse ? why : 'better',
          users: 200,
          ndcg: isWorse ? 0.1 : 0.2,
        };
      },
    };
    await withServing(fixture, overrides, async ({ api, refresh }) => {
      const good = await refresh();
      isWorse = true;
      const worse = await refresh();
      assert.deepEqual([worse.outcome, worse.why, await served(api)], ['refused', why, good.modelVersion]);
      assert.deepEqual(judged, ['none', good.modelVersion]);
      const again = await refresh({});
      assert.deepEqual([again.outcome, again.modelVersion, judged.length], ['refused', worse.modelVersion, 2]);

      const { body } = await ask(api, '/pipeline/models');
      const items = body['items'] as {
        model_version: string;
        promoted: boolean;
        why: string;
        can_be_served: boolean;
      }[];
      const refused = items.find((item) => item.model_version === worse.modelVersion)!;
      assert.deepEqual([refused.promoted, refused.why, refused.can_be_served], [false, why, false]);
      const back = await post(api, '/pipeline/rollback', { model_version: worse.modelVersion });
      assert.deepEqual([back.status, back.body['code']], [404, 'unknown_model']);
    });
  });

  it('serves the chart to everybody when the first model is not better than it', async () => {
    const store = createMemoryStore();
    const overrides: Partial<Activities> = {
      evaluateModel: async ({ modelVersion }) => ({
        modelVersion,
        promoted: false,
        why: 'not better than popularity',
        users: 200,
        ndcg: 0.1,
      }),
      exportSnapshot: async ({ modelVersion, chartOnly }) => {
        const tables = smallTables(modelVersion);
        const recommendations = tables.recommendations.slice(0, chartOnly ? 1 : undefined);
        return exportSnapshot(store, modelVersion, { ...tables, recommendations });
      },
    };
    await withServing(
      fixture,
      overrides,
      async ({ api, refresh }) => {
        const first = await refresh();
        assert.deepEqual([first.outcome, first.why], ['refused', 'not better than popularity']);
        await api.snapshots.check();
        const { status, body } = await ask(api, '/recommendations/nobody');
        assert.deepEqual([status, body['tier'], (body['items'] as object[]).length], [200, 'trending', 2]);
        assert.match(String(body['model_version']), /^chart-/);
        assert.equal((await refresh({})).outcome, 'refused');
      },
      store,
    );
  });
});

interface Serving {
  readonly world: World;
  readonly api: ApiWorld;
  readonly store: ReturnType<typeof createMemoryStore>;
  readonly refresh: (input?: object) => Promise<RefreshResult>;
}

/** The real workflows and the real publication, over a store that the real API serves from. */
async function withServing(
  fixture: TemporalFixture,
  overrides: Partial<Activities>,
  story: (serving: Serving) => Promise<void>,
  store = createMemoryStore(),
): Promise<void> {
  const publication = createPublicationActivities({ store, codeVersion: 'code-1', now: () => new Date() });
  const { activities } = scripted({
    ...publication,
    exportSnapshot: ({ modelVersion }) => exportSnapshot(store, modelVersion),
    ...overrides,
  });
  await withWorker(fixture, activities, async (world) => {
    const api = await startApi({ models: createModels(store, fixture.env.client, world.taskQueue) }, store);
    try {
      const refresh = async (input: object = { force: true }): Promise<RefreshResult> => {
        const handle = await world.start('refreshRecommendations', { input });
        return (await handle.result()) as RefreshResult;
      };
      await story({ world, api, store, refresh });
    } finally {
      await api.stop();
    }
  });
}

async function served(api: ApiWorld): Promise<unknown> {
  await api.snapshots.check();
  return (await ask(api, '/recommendations/1')).body['model_version'];
}

function post(api: ApiWorld, path: string, body: object): ReturnType<typeof ask> {
  return ask(api, path, { method: 'POST', token, body });
}

function causes(error: unknown): string {
  const messages: string[] = [];
  for (let cause = error; cause instanceof Error; cause = cause.cause) messages.push(cause.message);
  return messages.join('\n');
}
