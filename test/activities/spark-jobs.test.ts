import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { runSparkJob } from '../../activities/spark-jobs.ts';
import type { FailureType } from '../../contracts/failures.ts';

/** A script in a job's place: how what became of its process is told; test/integration runs the real jobs. */
describe('what a failed Spark job is taken for', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'segue-test-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function failureOf(script: string): Promise<ApplicationFailure> {
    await writeFile(join(folder, 'forget_user.py'), script);
    await chmod(join(folder, 'forget_user.py'), 0o755);
    const target = { kind: 'connect', remote: 'sc://nowhere:1', python: 'bash' } as const;
    const params = { runKey: 'key', lakeUri: 's3a://data', userId: 'u1', forgottenAt: '2025-01-01T00:00:00Z' };
    // These jobs tell no progress, so that no client is asked.
    const client = new Client({ connection: Connection.lazy() });
    const running = new MockActivityEnvironment({}, { client, logger: new DefaultLogger('ERROR') }).run(() =>
      runSparkJob({ jobsDir: folder, target, env: {}, withoutEnv: /^$/ }, 'forget_user', params),
    );
    const error: unknown = await running.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof ApplicationFailure, String(error));
    return error;
  }

  const whole = '{"error": {"type": "BrokenContract", "message": "bronze/dim_songs: no title"}}';
  const torn = whole.slice(0, 40);
  const cases: readonly {
    readonly when: string;
    readonly script: string;
    readonly is: FailureType;
    readonly says: RegExp;
  }[] = [
    { when: 'it says why', script: `echo '${whole}' >&2; exit 65`, is: 'SparkBrokenContract', says: /no title/ },
    { when: 'its word is torn', script: `printf '${torn}' >&2; exit 65`, is: 'SparkBrokenContract', says: /Broken/ },
    { when: 'it says nothing', script: 'exit 64', is: 'SparkBadParameters', says: /without a word/ },
    {
      when: 'it is killed while it speaks',
      script: `printf '${torn}' >&2; kill -9 $$`,
      is: 'SparkJobFailed',
      says: /./,
    },
    { when: 'it is killed after it spoke', script: `echo '${whole}' >&2; kill -9 $$`, is: 'SparkJobFailed', says: /./ },
    {
      when: 'it ends well with half a result',
      script: `printf '{"job": "forg' > "$4"`,
      is: 'SparkResultInvalid',
      says: /./,
    },
    { when: 'it ends well without a result', script: 'exit 0', is: 'SparkResultInvalid', says: /./ },
  ];
  for (const { when, script, is, says } of cases) {
    it(`is ${is} when ${when}`, async () => {
      const { type, message, nonRetryable } = await failureOf(script);
      assert.deepEqual([type, nonRetryable], [is, is !== 'SparkJobFailed']);
      assert.match(message, says);
    });
  }
});
