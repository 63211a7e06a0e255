import { join } from 'node:path';
import { execa } from 'execa';
import { cacheDirectory, repositoryRoot } from '../../stack/config.ts';
import { ensureCached, isCached } from '../../stack/install/cache.ts';
import { findPython } from '../../stack/install/prerequisites.ts';
import { pythonOf, venvItem } from '../../stack/install/venv.ts';
import { runSteps } from '../../stack/steps.ts';

const folder = join(repositoryRoot, 'test', 'schemathesis');

/** Installs schemathesis in an environment of its own unless it is there, and answers its interpreter. */
export async function ensureFuzzer(): Promise<string> {
  const cacheDir = cacheDirectory(process.env);
  const { found, problem } = await findPython();
  if (!found) throw new Error(problem);
  const lockFile = join(folder, 'requirements.txt');
  const item = venvItem({ name: 'schemathesis', contents: 'schemathesis', lockFile, buildTools: [], base: found });
  const install = (signal: AbortSignal, report: (detail: string) => void): Promise<string> =>
    ensureCached(cacheDir, item, signal, report);
  if (!isCached(cacheDir, item)) {
    await runSteps([
      { title: 'schemathesis (tests of the API)', run: async (report, signal) => void (await install(signal, report)) },
    ]);
  }
  return pythonOf(await install(new AbortController().signal, () => undefined));
}

/** An API that is there to be fuzzed, and who asks. */
export interface FuzzedApi {
  readonly url: string;
  readonly token: string;
  readonly listenerToken: string;
}

/** What a run of the fuzzer found. */
export interface FuzzReport {
  readonly exitCode: number | undefined;
  readonly output: string;
}

/** Fuzzes every operation of the API's own description: by example, at the limits, at random, and from answer to request. */
export async function fuzz(
  api: FuzzedApi,
  options: { readonly seed: number; readonly examples: number },
): Promise<FuzzReport> {
  const { exitCode, all } = await execa(
    await ensureFuzzer(),
    [
      ...[
        '-m',
        'schemathesis.cli',
        '--config-file',
        join(folder, 'schemathesis.toml'),
        'run',
        `${api.url}/openapi.json`,
      ],
      ...['--seed', String(options.seed), '--max-examples', String(options.examples)],
      ...['--no-color', '--no-shrink', '--continue-on-failure', '--generation-database', 'none'],
      ...['--warnings', 'off'],
    ],
    {
      cwd: folder,
      env: {
        SEGUE_FUZZ_TOKEN: api.token,
        SEGUE_FUZZ_LISTENER_TOKEN: api.listenerToken,
        PYTHONDONTWRITEBYTECODE: '1',
      },
      reject: false,
      all: true,
      stdin: 'ignore',
    },
  );
  return { exitCode, output: all };
}
