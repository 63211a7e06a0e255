import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { streamEventsId } from '../../contracts/ids.ts';
import type { RefreshResult } from '../../contracts/runs.ts';
import type { StreamProgress } from '../../contracts/streams.ts';
import { topicNames } from '../../contracts/topics.ts';
import { readBounds } from '../../platform/kafka/offsets.ts';
import { createLogger } from '../../platform/logger.ts';
import { createObjectStore, type ObjectStore } from '../../platform/object-store.ts';
import { startFuzzedApi, type RunningFuzzedApi } from '../support/fuzzed-api.ts';
import { fuzz } from '../support/fuzzer.ts';
import { startLoadedWorld, type PipelineWorld } from '../support/pipeline-world.ts';
import { publishSnapshot } from '../support/snapshots.ts';
import { readStreamTable } from '../support/stream-world.ts';
import { until } from '../support/wait.ts';

const minutes = 60_000;
const seed = 20;
/** Random requests to each operation, beside those at the limits of its description. */
const examples = 6;

describe('the API under an independent fuzzer', function () {
  this.timeout(15 * minutes);
  let world: PipelineWorld;
  let api: RunningFuzzedApi;
  before(async () => {
    world = await startLoadedWorld();
    // A small one to be served meanwhile: what the refresh makes of the listens comes after the fuzzer.
    await publishSnapshot(storeOf(world), 'als-1');
    api = await startFuzzedApi(world.stack, world.client);
  });
  after(async () => {
    await api?.stop();
    await world?.stop();
  });

  it(`does what its description says, in every operation and from one to the next (seed ${seed})`, async () => {
    const { exitCode, output } = await fuzz(api, { seed, examples });
    assert.equal(exitCode, 0, `${output}\n${api.log()}`);
    assert.match(output, /Operations: +24 selected \/ 24 total/);
    assert.match(output, /Stateful/);
    assert.equal((await fetch(`${api.url}/readyz`)).status, 200);
  });

  it('leaves listens in Kafka that go into bronze, and a refresh after them publishes', async () => {
    await api.stop();
    const streams = await world.start('streamEvents', streamEventsId);
    await untilInBronze();
    await streams.cancel();
    const { rows } = (await readStreamTable(world.lake, 'bronze/listening_events_stream'))!;
    assert.ok(rows > 100, `${rows} listens are too few to prove anything`);
    const before = await served();
    const refreshed = (await (
      await world.start('refreshRecommendations', 'refresh-recommendations')
    ).result()) as RefreshResult;
    assert.equal(refreshed.outcome, 'published', JSON.stringify(refreshed));
    assert.notEqual(refreshed.modelVersion, before);
    await until('the new model is served', async () => (await served()) === refreshed.modelVersion);
  });

  async function untilInBronze(): Promise<void> {
    const logger = createLogger({ name: 'test', level: 'silent' });
    const brokers = [world.stack.env['SEGUE_KAFKA_BROKERS']!];
    const ends = await readBounds({ brokers, clientId: 'segue-test', logger }, [topicNames.listens]);
    const isRead = ({ topics }: StreamProgress): boolean => {
      const read = topics.find(({ topic }) => topic === topicNames.listens)?.offsets ?? {};
      return ends.every(({ partition, high }) => (read[partition] ?? 0) >= high);
    };
    const progress = (): Promise<StreamProgress | undefined> =>
      world.client.workflow
        .getHandle(streamEventsId)
        .query<StreamProgress>('progress')
        .catch(() => undefined);
    await until(
      'every listen of the fuzzer is in bronze',
      async () => {
        const told = await progress();
        return told !== undefined && isRead(told);
      },
      { timeoutMs: 5 * minutes, everyMs: 500 },
    );
  }

  function storeOf({ stack }: PipelineWorld): ObjectStore {
    const secret = (variable: string): string => readFileSync(stack.env[variable]!, 'utf8').trim();
    return createObjectStore({
      endpoint: stack.env['SEGUE_S3_ENDPOINT']!,
      region: 'us-east-1',
      accessKey: secret('SEGUE_S3_ACCESS_KEY_FILE'),
      secretKey: secret('SEGUE_S3_SECRET_KEY_FILE'),
    });
  }

  async function served(): Promise<string> {
    const response = await fetch(`${world.apiUrl}/recommendations/1`);
    return ((await response.json()) as { model_version: string }).model_version;
  }
});
