import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runSparkProcess, type SparkExit } from '../../activities/spark-process.ts';
import { loadBronzeResult } from '../../contracts/schemas/jobs.ts';
import { readWorkerConfig } from '../../worker/config.ts';
import { sparkProcessOptions } from '../../worker/spark.ts';
import { installed } from '../support/installed.ts';

/** The jobs, sent as they would be to a cluster: `spark-submit --master local[2]`, no warm server. */
describe('a job by spark-submit', function () {
  this.timeout(360_000);
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'segue-submit-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function submit(job: string, params: unknown): Promise<SparkExit> {
    const tools = await installed();
    const config = readWorkerConfig({
      SEGUE_SPARK_MASTER: 'local[2]',
      SEGUE_SPARK_SUBMIT: tools.sparkSubmit,
      SEGUE_SPARK_JARS: tools.sparkJarsDir,
      SEGUE_PYTHON: tools.python,
      SEGUE_S3_ACCESS_KEY: 'none',
      SEGUE_S3_SECRET_KEY: 'none',
    });
    const options = sparkProcessOptions(config);
    const env = { ...options.env, SPARK_HOME: tools.sparkHome, SPARK_LOCAL_IP: '127.0.0.1' };
    return runSparkProcess(
      { ...options, env },
      { job, runKey: 'submitted', params, signal: new AbortController().signal, onProgress: () => undefined },
    );
  }

  it('loads bronze and answers with a result document that fits its schema', async () => {
    const file = 'dim_users.csv';
    await writeFile(
      join(folder, file),
      'user_id,user_name,preferred_genres,join_date\n1,Ana,"rock,pop",2024-01-01\n,Bo,,\n',
    );
    const exit = await submit('load_bronze', {
      runKey: 'submitted',
      lakeUri: `file://${folder}/lake`,
      ingestedAt: '2025-01-01T00:00:00Z',
      files: [{ file, table: 'dim_users', uri: `file://${folder}/${file}`, key: 'k1', rows: 2 }],
    });
    assert.equal(exit.exitCode, 0, exit.lastLines.join('\n'));
    const result = loadBronzeResult.parse(JSON.parse(exit.result!));
    // One good row; the other has no user_id.
    assert.deepEqual(
      result.files.map(({ bronze, quarantined }) => [bronze, quarantined]),
      [[1, 1]],
    );
  });

  it('ends with exit code 64 when it is called with parameters it does not take', async () => {
    const exit = await submit('load_bronze', { runKey: 'submitted' });
    assert.equal(exit.exitCode, 64, exit.lastLines.join('\n'));
    assert.match(exit.error?.message ?? '', /lakeUri|files|ingestedAt/);
  });
});
