import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runSparkProcess, type SparkExit } from '../../activities/spark-process.ts';
import type { SparkProgress } from '../../contracts/progress.ts';

/** A script in a job's place, for what happens to its process; test/integration runs the real jobs. */
describe('a Spark job as a process', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'segue-test-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function run(
    script: string,
    { signal = new AbortController().signal, onProgress = (_progress: SparkProgress): void => undefined } = {},
  ): Promise<SparkExit> {
    await writeFile(join(folder, 'job.py'), script);
    await chmod(join(folder, 'job.py'), 0o755);
    return runSparkProcess(
      {
        jobsDir: folder,
        target: { kind: 'connect', remote: 'sc://nowhere:1', python: 'bash' },
        env: { SECRET: 'hush' },
      },
      { job: 'job', runKey: 'key', params: { runKey: 'key', n: 1 }, signal, onProgress },
    );
  }

  it('gets its parameters by file and answers with its result document', async () => {
    // $2 is the parameters' file, $4 the result's.
    const exit = await run('cp "$2" "$4"');
    assert.deepEqual([exit.exitCode, JSON.parse(exit.result!)], [0, { runKey: 'key', n: 1 }]);
  });

  it('gets settings and secrets by environment, not by argument', async () => {
    const exit = await run('echo "$SECRET $SPARK_REMOTE $*" > "$4"');
    assert.match(exit.result!, /^hush sc:\/\/nowhere:1 --params \S+ --result \S+ --lifeline$/m);
  });

  it('reports its progress lines and takes no notice of anything else it prints', async () => {
    const seen: SparkProgress[] = [];
    const line = '{"segue":"progress","job":"job","step":"read","tasksDone":1,"tasksTotal":2}';
    await run(`echo hello; echo '${line}'; echo '{"segue":"weather"}'`, {
      onProgress: (progress) => seen.push(progress),
    });
    assert.deepEqual(seen, [{ job: 'job', step: 'read', tasksDone: 1, tasksTotal: 2 }]);
  });

  it('keeps the last lines it said when it fails', async () => {
    const exit = await run('for i in $(seq 1 40); do echo "line $i" >&2; done; exit 65');
    assert.deepEqual([exit.exitCode, exit.lastLines.length, exit.lastLines.at(-1)], [65, 25, 'line 40']);
    assert.equal(exit.result, undefined);
  });

  it('keeps the job’s own word on its failure, however much is logged after it', async () => {
    const exit = await run(
      `echo '{"error":{"type":"T","message":"m"}}' >&2; for i in $(seq 1 40); do echo "line $i" >&2; done; exit 1`,
    );
    assert.equal(exit.errorLine, '{"error":{"type":"T","message":"m"}}');
  });

  it('is told to stop when its run is cancelled, and may tidy up first', async () => {
    const cancelling = new AbortController();
    const exit = await run(
      `trap 'echo tidied > "$4"; exit 143' TERM
       echo '{"segue":"progress","job":"job","step":"s","tasksDone":0,"tasksTotal":1}'
       while true; do sleep 0.05; done`,
      { signal: cancelling.signal, onProgress: () => cancelling.abort() },
    );
    assert.deepEqual([exit.isCancelled, exit.exitCode, exit.result], [true, 143, 'tidied\n']);
  });

  it('says so when the command cannot be run at all', async () => {
    const exit = await runSparkProcess(
      { jobsDir: folder, target: { kind: 'connect', remote: 'sc://nowhere:1', python: '/nowhere/python' }, env: {} },
      { job: 'job', runKey: 'key', params: {}, signal: new AbortController().signal, onProgress: () => undefined },
    );
    assert.equal(exit.exitCode, undefined);
    assert.match(exit.lastLines.join('\n'), /ENOENT/);
  });
});
