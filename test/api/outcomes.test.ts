import assert from 'node:assert/strict';
import { Registry } from 'prom-client';
import { ForgottenUsers } from '../../api/listeners/forgotten.ts';
import { ListenerView } from '../../api/listeners/view.ts';
import { createApiMetrics } from '../../api/metrics.ts';
import { OutcomeReports } from '../../api/outcomes.ts';
import { forgottenKey, hashOfUser } from '../../platform/forgotten-users.ts';
import { createLogger } from '../../platform/logger.ts';
import { ask, startApi, testToken } from '../support/api-world.ts';
import { createMemoryStore } from '../support/memory-store.ts';

const logger = createLogger({ name: 'test', level: 'silent' });
const now = (): Date => new Date('2025-01-02T03:04:05Z');

describe('outcomes of recommendations', () => {
  it('are answered with rates, and drawn as metrics, once they have been measured', async () => {
    const store = createMemoryStore();
    const metrics = createApiMetrics(new Registry());
    const outcomes = new OutcomeReports({ store, metrics, logger });
    const world = await startApi({ outcomes, metrics });
    try {
      await outcomes.look();
      const early = await ask(world, '/pipeline/outcomes');
      assert.deepEqual([early.status, early.body['code']], [404, 'nothing_measured']);

      const group = { tier: 'personal', reasonType: 'trending', modelVersion: 'm1', impressions: 40, answers: 2 };
      const report = { formatVersion: 1, measuredAt: now().toISOString(), windowHours: 24 };
      await store.put(
        'serving',
        'outcomes.json',
        JSON.stringify({ ...report, groups: [{ ...group, clicked: 3, skipped: 1 }] }),
      );
      await outcomes.look();
      const { body } = await ask(world, '/pipeline/outcomes');
      const [item] = body['items'] as Record<string, unknown>[];
      // 3 and 1 of 40 impressions.
      assert.deepEqual([item!['click_through_rate'], item!['skip_rate']], [0.075, 0.025]);
      const drawn = await metrics.registry.metrics();
      assert.match(drawn, /segue_recommendation_outcomes\{tier="personal",reason="trending",outcome="none"\} 36/);
    } finally {
      await world.stop();
    }
  });

  it('stay as they were when a report cannot be read', async () => {
    const store = createMemoryStore();
    const outcomes = new OutcomeReports({ store, metrics: createApiMetrics(new Registry()), logger });
    await store.put('serving', 'outcomes.json', 'no JSON');
    await outcomes.look();
    assert.equal(outcomes.current, undefined);
  });
});

describe('forgetting a user, in the API', () => {
  it('needs the token, starts a run, and answers where it is', async () => {
    const forgotten: string[] = [];
    const world = await startApi({
      pipeline: {
        start: async (run) => ({ workflowId: run, isNew: true }),
        list: async () => [],
        describe: async () => undefined,
        decide: async (weekEnd) => ({ workflowId: weekEnd }),
        forget: async (userId) => {
          forgotten.push(userId);
          return { workflowId: 'forget-user/abc', isNew: true };
        },
      },
    });
    try {
      assert.equal((await ask(world, '/users/7', { method: 'DELETE' })).status, 401);
      const accepted = await ask(world, '/users/7', { method: 'DELETE', token: testToken });
      assert.deepEqual(
        [accepted.status, accepted.headers.get('location'), forgotten],
        [202, '/pipeline/runs/forget-user/abc', ['7']],
      );
      assert.equal((await ask(world, '/users/7')).status, 405);
    } finally {
      await world.stop();
    }
  });

  it('drops what is known of a user who is new on the list, and takes nothing more of them', async () => {
    const store = createMemoryStore();
    const forgotten = new ForgottenUsers({ store, logger });
    const view = new ListenerView(now, forgotten.has);
    const listen = (user_id: string) => ({
      schema_version: 1 as const,
      event_id: `${user_id}-1`,
      user_id,
      track_id: 't1',
      event_type: 'like' as const,
      timestamp: now().toISOString(),
      received_at: now().toISOString(),
    });
    view.takeListen(listen('7'));
    view.takeListen(listen('8'));
    await store.put('data', forgottenKey(hashOfUser('7')), '{}');
    await forgotten.look(view);
    view.takeListen({ ...listen('7'), event_id: 'again' });
    assert.deepEqual([view.knows('7'), view.knows('8')], [false, true]);
  });
});
