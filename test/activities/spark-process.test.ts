import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createJobHost, type JobEnvironment, type JobHost } from '../../activities/job-process.ts';
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
    assert.deepEqual(exit.error, { type: 'T', message: 'm' });
  });

  it('takes no torn word of the job for one', async () => {
    for (const torn of [
      '{"error"',
      '{"error": {"type": "BrokenContract", "mess',
      '{"error": "what"}',
      '{"error": null}',
    ]) {
      const exit = await run(`printf '%s' '${torn}' >&2; exit 65`);
      assert.deepEqual([exit.exitCode, exit.error, exit.lastLines.at(-1)], [65, undefined, torn]);
    }
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

  describe('with a host of processes', () => {
    let where: JobEnvironment & { readonly python: string; readonly jobsDir: string };
    beforeEach(async () => {
      // Bash in Python's place: it knows none of its options.
      await writeFile(join(folder, 'python'), '#!/bin/bash\n[ "$1" = -I ] && shift 2\nexec bash "$@"', { mode: 0o755 });
      await writeFile(join(folder, 'job_host.py'), 'echo $$ > "$(dirname "$0")/pid"; touch "$1"; read -r line');
      // Answers with the arguments it was given, in the place of the job's result.
      await writeFile(join(folder, 'start_job.py'), 'socket=$1; shift; echo "$SECRET $(ls "$socket") $*" > "$5"');
      await mkdir(join(folder, 'jobs'));
      where = {
        python: join(folder, 'python'),
        jobsDir: join(folder, 'jobs'),
        env: { SECRET: 'hush' },
        withoutEnv: /^$/,
      };
    });

    const hostAfter = (host: JobHost, former: number): Promise<number> =>
      until('it runs', async () => {
        host.expect();
        const pid = Number(await readFile(join(folder, 'pid'), 'utf8').catch(() => ''));
        return pid > 0 && pid !== former && pid;
      });

    it('runs in one of them, with the same arguments and environment', async () => {
      const stopping = new AbortController();
      const host = createJobHost(where, stopping.signal);
      await hostAfter(host, 0);
      const target = { kind: 'connect', remote: 'sc://nowhere:1', python: where.python } as const;
      const exit = await runSparkProcess(
        { ...where, target, host },
        { job: 'job', runKey: 'key', params: {}, signal: new AbortController().signal, onProgress: () => undefined },
      );
      stopping.abort();
      assert.match(exit.result!, /^hush \S+\/socket \S+jobs\/job\.py --params \S+ --result \S+ --lifeline$/m);
    });

    it('has another host when one died, and none is left when all is told to stop', async () => {
      const stopping = new AbortController();
      const host = createJobHost(where, stopping.signal);
      const first = await hostAfter(host, 0);
      process.kill(first, 'SIGKILL');
      const second = await hostAfter(host, first);
      stopping.abort();
      await until('it has ended', () => !isRunning(second));
      await until('it is forgotten', () => host.argsOf(['job.py']).length === 1);
    });
  });
});
