import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSpareProcess } from '../../activities/job-process.ts';
import { runSparkProcess, type SparkExit } from '../../activities/spark-process.ts';
import type { SparkProgress } from '../../contracts/progress.ts';
import { variablesOfOtherSparks } from '../../platform/variables.ts';
import { isRunning } from '../support/processes.ts';
import { until } from '../support/wait.ts';

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
        withoutEnv: variablesOfOtherSparks,
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

  it('does not see what the user has set for another Spark', async () => {
    process.env['SPARK_HOME'] = '/nowhere';
    process.env['SEGUE_SEEN'] = 'seen';
    try {
      const exit = await run('echo "$SEGUE_SEEN|$SPARK_HOME|" > "$4"');
      assert.match(exit.result!, /^seen\|\|$/m);
    } finally {
      delete process.env['SPARK_HOME'];
      delete process.env['SEGUE_SEEN'];
    }
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
      {
        jobsDir: folder,
        target: { kind: 'connect', remote: 'sc://nowhere:1', python: '/nowhere/python' },
        env: {},
        withoutEnv: /^$/,
      },
      { job: 'job', runKey: 'key', params: {}, signal: new AbortController().signal, onProgress: () => undefined },
    );
    assert.equal(exit.exitCode, undefined);
    assert.match(exit.lastLines.join('\n'), /ENOENT/);
  });

  it('runs in the process that was started for it before, with the same arguments; the next job in one of its own', async () => {
    await mkdir(join(folder, 'jobs'));
    await writeFile(join(folder, 'jobs', 'job.py'), 'echo "its own $*" > "$4"');
    // Answers with the line it was given, in the place of the job's result.
    await writeFile(
      join(folder, 'await_job.py'),
      String.raw`read -r line; echo "$SECRET $line" > "$(sed 's/.*--result","\([^"]*\)".*/\1/' <<< "$line")"`,
    );
    const where = { python: 'bash', jobsDir: join(folder, 'jobs'), env: { SECRET: 'hush' }, withoutEnv: /^$/ };
    const spare = createSpareProcess(where, new AbortController().signal);
    spare.expect();
    spare.expect();
    const target = { kind: 'connect', remote: 'sc://nowhere:1', python: 'bash' } as const;
    const runNow = () =>
      runSparkProcess(
        { ...where, target, spare },
        { job: 'job', runKey: 'key', params: {}, signal: new AbortController().signal, onProgress: () => undefined },
      );
    assert.match(
      (await runNow()).result!,
      /^hush \[".*jobs\/job\.py","--params",".*","--result",".*","--lifeline"\]$/m,
    );
    assert.match((await runNow()).result!, /^its own --params /);
  });

  it('has another spare process when one died, and none is left when all is told to stop', async () => {
    await writeFile(join(folder, 'await_job.py'), 'echo $$ > "$(dirname "$0")/pid"; read -r line');
    const stopping = new AbortController();
    const spare = createSpareProcess(
      { python: 'bash', jobsDir: join(folder, 'jobs'), env: {}, withoutEnv: /^$/ },
      stopping.signal,
    );
    const startedAfter = (former: number): Promise<number> =>
      until('it runs', async () => {
        spare.expect();
        const pid = Number(await readFile(join(folder, 'pid'), 'utf8').catch(() => ''));
        return pid > 0 && pid !== former && pid;
      });
    const first = await startedAfter(0);
    process.kill(first, 'SIGKILL');
    const second = await startedAfter(first);
    stopping.abort();
    await until('it has ended', () => !isRunning(second));
    spare.expect();
    assert.equal(spare.take([]), undefined);
  });
});
