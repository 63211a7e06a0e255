import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { freePort } from '../../stack/free-port.ts';
import { portVariables, readStackSettings, repositoryRoot } from '../../stack/config.ts';
import { claimDataDir, generatingMark, hasEvents, ownedDataDir } from '../../stack/data-dir.ts';
import { examine, formatFinding } from '../../stack/doctor.ts';
import { envFor, temporalOf } from '../../stack/environment.ts';
import { Interrupted } from '../../stack/errors.ts';
import { chooseServices } from '../../stack/external.ts';
import { describeProgress } from '../../stack/load.ts';
import { deleteState } from '../../stack/reset.ts';
import { ensureSecrets } from '../../stack/secrets.ts';
import type { ServiceContext } from '../../stack/services/context.ts';
import { pipelinePolicy } from '../../stack/services/minio-access.ts';
import { temporalService } from '../../stack/services/temporal.ts';
import { formatReport, reportStack } from '../../stack/status.ts';
import { formatSeconds, runSteps, type Step } from '../../stack/steps.ts';
import { temporaryFolder } from './small-services.ts';

const bootstrap = join(repositoryRoot, 'stack', 'bootstrap.mjs');

describe('the stack’s commands', () => {
  let folder: ReturnType<typeof temporaryFolder>;

  beforeEach(() => {
    folder = temporaryFolder();
  });

  afterEach(() => folder.remove());

  /** Settings of a stack of its own, on ports that nobody else uses. */
  async function ownEnvironment(): Promise<Record<string, string>> {
    const env: Record<string, string> = {
      SEGUE_STATE_DIR: join(folder.path, 'state'),
      SEGUE_SECRETS_DIR: join(folder.path, 'secrets'),
      SEGUE_CACHE_DIR: join(folder.path, 'cache'),
    };
    for (const variable of Object.values(portVariables)) env[variable] = String(await freePort());
    return env;
  }

  describe('bootstrap', () => {
    it('runs TypeScript with its arguments and passes on the exit code', async () => {
      const { stdout, exitCode } = await runEntry(
        folder.path,
        'const words: string[] = process.argv.slice(2); console.log(words.join(" ")); process.exit(7)',
      );
      assert.equal(stdout, 'one --two');
      assert.equal(exitCode, 7);
    });

    it('says in one sentence that Node is too old', async () => {
      const older = `data:text/javascript,Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.18.3' } })`;
      const { stderr, exitCode } = await runEntry(folder.path, '', ['--import', older]);
      assert.match(stderr, /^Node\.js 20\.18\.3 is too old: Segue needs 20\.19 or newer; [^\n]*$/);
      assert.equal(exitCode, 1);
    });
  });

  it('status says that nothing runs, down has nothing to do, and reset says what it leaves', async () => {
    const env = await ownEnvironment();
    const stack = (...args: string[]) =>
      execa(process.execPath, [bootstrap, 'stack/cli.ts', ...args], { env, cwd: repositoryRoot, reject: false });

    const status = await stack('status');
    assert.match(status.stdout, /^temporal +stopped/m);
    assert.match(status.stdout, /Nothing is running here/);
    assert.match((await stack('down')).stdout, /Nothing was running/);
    const asked = await stack('reset');
    assert.match(asked.stderr, /--yes/);
    assert.equal(asked.exitCode, 1);
    mkdirSync(join(folder.path, 'state', 'outbox', '8088'), { recursive: true });
    writeFileSync(join(folder.path, 'state', 'my-notes.txt'), 'mine');
    const reset = await stack('reset', '--yes', '--secrets');
    assert.match(reset.stdout, /state holds only what the stack did not write \(my-notes\.txt\), the credentials in /);
    assert.equal(reset.exitCode, 0);
    const unknown = await stack('explode');
    assert.match(unknown.stderr, /There is no command "explode"/);
    assert.equal(unknown.exitCode, 1);
  }).timeout(30_000);

  it('doctor names what is missing, with the mend, and nothing else as a problem', async () => {
    const env = { ...(await ownEnvironment()), PATH: folder.path };
    const findings = await examine(readStackSettings(env), env);
    const problems = findings.filter(({ isFit, subject }) => !isFit && !subject.startsWith('Disk')).map(formatFinding);

    assert.deepEqual(
      problems.map((line) => /^PROBLEM (\w+):/.exec(line)?.[1]),
      ['Java', 'Python', 'Go'],
    );
    assert.ok(problems.every((line) => line.includes('install')));
  });

  it('a state folder belongs to one data directory; another one is told about reset and SEGUE_STATE_DIR', async () => {
    const state = join(folder.path, 'state');
    assert.equal(await ownedDataDir(state), undefined);
    await claimDataDir(state, '/data/one');
    await claimDataDir(state, '/data/one');

    await assert.rejects(claimDataDir(state, '/data/two'), /belongs to .*\/data\/one.*reset.*SEGUE_STATE_DIR/);
    assert.equal(await ownedDataDir(state), '/data/one');
  });

  it('demo data that was not finished counts as missing', async () => {
    assert.equal(await hasEvents(folder.path), false);
    writeFileSync(join(folder.path, 'fact_listening_events_2024.csv'), 'event_id\n');
    assert.equal(await hasEvents(folder.path), true);
    writeFileSync(generatingMark(folder.path), '');
    assert.equal(await hasEvents(folder.path), false);
  });

  it('reset deletes the stack’s own folders, keeps a stranger’s file, and credentials unless they are named', async () => {
    const stateDir = join(folder.path, 'state');
    const secretsDir = join(folder.path, 'secrets');
    const { apiToken } = ensureSecrets(secretsDir);
    for (const name of ['minio/data', 'outbox/8088', 'run', 'logs']) {
      mkdirSync(join(stateDir, name), { recursive: true });
    }
    writeFileSync(join(stateDir, 'my-notes.txt'), 'mine');
    writeFileSync(join(secretsDir, 'listener_tokens.json'), '[]');

    const left = await deleteState({ stateDir, secretsDir, withSecrets: false });
    assert.deepEqual([left, readdirSync(stateDir)], [['my-notes.txt'], ['my-notes.txt']]);
    assert.ok(existsSync(apiToken));

    await deleteState({ stateDir, secretsDir, withSecrets: true });
    assert.deepEqual(readdirSync(secretsDir), []);
  });

  it('every port can be moved by its variable, and a bad one is named', () => {
    const { ports } = readStackSettings({ SEGUE_MINIO_PORT: '19000' });
    assert.equal(ports.minio, 19_000);
    assert.equal(ports.kafka, 9092);
    assert.throws(() => readStackSettings({ SEGUE_API_PORT: 'eighty' }), /SEGUE_API_PORT/);
  });

  it('hands secrets to the processes by file, never by value', () => {
    const settings = readStackSettings({ SEGUE_SECRETS_DIR: join(folder.path, 'secrets') });
    const { minioPass } = ensureSecrets(settings.secretsDir);
    const env = envFor(settings, { python: 'python', sparkJarsDir: 'jars', sparkSubmit: 'spark-submit' });
    assert.equal(env['SEGUE_S3_SECRET_KEY_FILE'], minioPass);
    assert.deepEqual(
      Object.keys(env).filter((name) => /(ACCESS_KEY|SECRET_KEY|TOKEN)$/.test(name)),
      [],
    );
  });

  it('does not start what the environment points elsewhere', () => {
    assert.equal(chooseServices({}).embedded.length, 6);
    const choice = chooseServices({ SEGUE_KAFKA_BROKERS: 'kafka:9092', SEGUE_SPARK_MASTER: 'spark://m:7077' });
    assert.deepEqual(choice.embedded, ['temporal', 'minio', 'worker', 'api']);
    assert.equal(choice.overrides['SEGUE_KAFKA_BROKERS'], 'kafka:9092');
    // An empty setting counts as not set: the worker must not go on to the warm Spark that was not started.
    assert.equal(choice.overrides['SEGUE_SPARK_REMOTE'], '');
    assert.equal(choice.remarks.length, 2);
  });

  it('gives its own clients the namespace and the task queue that the worker inherits, and Temporal that namespace', () => {
    const own = chooseServices({ SEGUE_TASK_QUEUE: 'mine', SEGUE_TEMPORAL_NAMESPACE: 'team' }).overrides;
    assert.deepEqual(own, { SEGUE_TASK_QUEUE: 'mine', SEGUE_TEMPORAL_NAMESPACE: 'team' });
    const external = chooseServices({ SEGUE_TEMPORAL_ADDRESS: 'temporal:7233', SEGUE_TASK_QUEUE: 'mine' }).overrides;
    assert.deepEqual(temporalOf(external), {
      access: { address: 'temporal:7233' },
      namespace: 'default',
      taskQueue: 'mine',
    });

    const argsWith = (env: Readonly<Record<string, string>>): string =>
      // What is not asked of Temporal's definition is not made up here.
      temporalService({ settings: readStackSettings({}), installed: {}, env } as ServiceContext).command.args.join(' ');
    assert.match(argsWith(own), /--namespace team\b/);
    assert.doesNotMatch(argsWith({}), /--namespace/);
  });

  it('gives the pipeline’s user no right outside the three buckets', () => {
    const { Statement } = pipelinePolicy() as { Statement: { Action: string[]; Resource: string[] }[] };
    const buckets = new Set(Statement.flatMap(({ Resource }) => Resource.map((arn) => arn.split(':::')[1])));
    assert.deepEqual(buckets, new Set(['data', 'data/*', 'landing', 'landing/*', 'serving', 'serving/*']));
    assert.ok(Statement.every(({ Action }) => Action.every((action) => !action.includes('*'))));
  });

  it('describes progress in one line', () => {
    const line = describeProgress({
      stage: 'loading bronze',
      files: { done: 2, total: 6 },
      uploadBytes: { done: 12_400_000, total: 303_000_000 },
      rows: { inFiles: 5_490_000, loaded: 0 },
      spark: { job: 'load_bronze', step: 'dim_songs', tasksDone: 3, tasksTotal: 8 },
    });
    assert.equal(
      line,
      'loading bronze, files 2/6, uploaded 12 of 303 MB, rows 0 of 5,490,000, Spark load_bronze: dim_songs 3/8 tasks',
    );
  });

  it('a status table names each service once, in the order of the start', () => {
    const table = formatReport(reportStack(join(folder.path, 'nowhere')));
    const names = table
      .split('\n')
      .slice(1, 7)
      .map((line) => line.split(' ')[0]);
    assert.deepEqual(names, ['temporal', 'minio', 'kafka', 'spark', 'worker', 'api']);
  });

  describe('steps', () => {
    const silent = { onStep: () => undefined };

    it('run side by side unless one comes after another', async () => {
      const order: string[] = [];
      const step = (title: string, ms: number, after: readonly Step[] = []): Step => ({
        title,
        after,
        run: async () => {
          order.push(`${title} begins`);
          await new Promise((resolve) => setTimeout(resolve, ms));
          order.push(`${title} ends`);
        },
      });
      const slow = step('slow', 60);
      const quick = step('quick', 20);
      const last = step('last', 0, [slow, quick]);

      const times = await runSteps([last, slow, quick], silent);

      assert.deepEqual(order, ['slow begins', 'quick begins', 'quick ends', 'slow ends', 'last begins', 'last ends']);
      assert.deepEqual(
        times.map(({ title }) => title),
        ['last', 'slow', 'quick'],
      );
    });

    it('stop the others at the first failure, and throw it', async () => {
      let isStopped = false;
      const failing: Step = { title: 'failing', run: () => Promise.reject(new Error('no luck')) };
      const other: Step = {
        title: 'other',
        run: async (_report, signal) => {
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
          isStopped = true;
        },
      };
      const never: Step = { title: 'never', after: [failing], run: () => assert.fail('it must not run') };

      await assert.rejects(runSteps([never, other, failing], silent), /no luck/);
      assert.ok(isStopped);
    });

    it('report nothing any more once they have ended', async () => {
      const told: string[] = [];
      let late = (_detail: string): void => undefined;
      const step: Step = {
        title: 'chatty',
        run: async (report) => {
          late = report;
          report('at work');
        },
      };
      await runSteps([step], { onStep: ({ state, detail }) => told.push(`${state} ${detail}`) });
      late('too late');
      assert.deepEqual(told, ['started ', 'progress at work', 'done ']);
    });

    it('end as interrupted when the user interrupts', async () => {
      const patient: Step = {
        title: 'patient',
        run: (_report, signal) =>
          new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('ended')))),
      };
      await assert.rejects(runSteps([patient], { ...silent, signal: AbortSignal.timeout(20) }), Interrupted);
    });

    it('write times as people say them', () => {
      assert.deepEqual([0.04, 9.94, 75.4, 725].map(formatSeconds), ['0.0 s', '9.9 s', '75 s', '12 min 5 s']);
    });
  });
});

async function runEntry(folder: string, code: string, nodeArgs: readonly string[] = []) {
  // An entry's path is taken from the repository's root on.
  const entry = join(folder, 'entry.mts');
  writeFileSync(entry, code);
  const up = repositoryRoot
    .split('/')
    .map(() => '..')
    .join('/');
  return execa(process.execPath, [...nodeArgs, bootstrap, join(up, entry), 'one', '--two'], { reject: false });
}
