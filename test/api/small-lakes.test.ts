import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { lake } from '../../contracts/lake.ts';
import type { SnapshotManifest, SnapshotPointer } from '../../contracts/schemas/snapshot.ts';
import type { RecommendationAnswer } from '../../api/recommend.ts';
import { ask, startApi, type ApiWorld } from '../support/api-world.ts';

/** A snapshot as export_snapshot wrote it (spark-submit/tests/test_any_lake.py): objects by key, in base64. */
interface SmallSnapshot {
  readonly users: readonly string[];
  readonly manifest: SnapshotManifest;
  readonly objects: Readonly<Record<string, string>>;
}

const file = new URL('../support/small_snapshots.json', import.meta.url);
const snapshots = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, SmallSnapshot>);
const { serving } = lake.buckets;

async function serve(api: ApiWorld, { manifest, objects }: SmallSnapshot): Promise<void> {
  for (const [key, body] of Object.entries(objects)) await api.store.put(serving, key, Buffer.from(body, 'base64'));
  const body = JSON.stringify(manifest);
  const manifestKey = `${lake.prefixes.snapshots}${manifest.modelVersion}/manifest.json`;
  await api.store.put(serving, manifestKey, body);
  const pointer: SnapshotPointer = {
    formatVersion: 1,
    modelVersion: manifest.modelVersion,
    manifestKey,
    manifestSha256: createHash('sha256').update(body).digest('hex'),
    publishedAt: '2025-02-01T00:00:00Z',
    previous: null,
    inputs: 'test',
    history: [],
  };
  await api.store.put(serving, lake.prefixes.pointer, JSON.stringify(pointer));
  await api.snapshots.check();
}

describe('the snapshot of a small lake', () => {
  let api: ApiWorld;
  beforeEach(async () => {
    api = await startApi();
  });
  afterEach(() => api.stop());

  async function answerFor(user: string): Promise<RecommendationAnswer> {
    const { status, body } = await ask(api, `/recommendations/${user}`);
    assert.equal(status, 200, user);
    return body as unknown as RecommendationAnswer;
  }

  it('is one of several', () => {
    assert.ok(snapshots.length >= 5);
  });

  for (const [name, snapshot] of snapshots) {
    it(`of ${name} is served, with an answer for every user and for strangers`, async () => {
      await serve(api, snapshot);
      assert.equal(api.snapshots.current?.manifest.modelVersion, snapshot.manifest.modelVersion);
      for (const user of snapshot.users) {
        const { tier, items } = await answerFor(user);
        assert.ok(tier === 'personal' || tier === 'cold_start', `${user} is known: ${tier}`);
        assert.equal(new Set(items.map(({ track_id }) => track_id)).size, items.length);
        assert.ok(items.every(({ reason, title }) => reason.text !== '' && title !== ''));
        assert.equal((await ask(api, `/users/${user}/history`)).status, 200, user);
      }
      assert.equal((await answerFor('somebody else')).tier, 'trending');
      assert.equal((await ask(api, '/users/stranger/history')).status, 404);
      const { status, body } = await ask(api, '/trending');
      assert.equal(status, api.snapshots.current?.weeks.length ? 200 : 404, JSON.stringify(body));
      for (const track of ['t0', 't1', 'no-such-track']) {
        const similar = await ask(api, `/tracks/${track}/similar`);
        assert.ok([200, 404].includes(similar.status), track);
      }
    });
  }

  it('has lists for who has heard everything: what they liked, again', async () => {
    const [, snapshot] = snapshots.find(([name]) => name.startsWith('one artist'))!;
    await serve(api, snapshot);
    for (const user of snapshot.users) {
      const { tier, items } = await answerFor(user);
      assert.equal(tier, 'personal');
      assert.equal(items.length, 20);
      assert.deepEqual([...new Set(items.map(({ reason }) => reason.type))], ['rediscover']);
    }
  });
});
