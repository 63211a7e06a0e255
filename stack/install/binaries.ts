import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../config.ts';
import { StackError } from '../errors.ts';
import type { CachedItem } from './cache.ts';
import { findGo, isAtLeast, outputOf, required } from './prerequisites.ts';
import { runCommand } from './run-command.ts';

/** The programs that come from PATH or are built from their Go modules. */
export type BinaryName = 'temporal' | 'minio' | 'mc';
export const binaryNames: readonly BinaryName[] = ['temporal', 'minio', 'mc'];

interface Binary {
  readonly packagePath: string;
  /** Whether what `--version` says of one on PATH is good enough. */
  readonly fits: (version: string) => boolean;
}

const binaries: Readonly<Record<BinaryName, Binary>> = {
  temporal: {
    packagePath: 'github.com/temporalio/cli/cmd/temporal',
    fits: (version) => isAtLeast(/Server (\d+\.\d+\.\d+)/.exec(version)?.[1] ?? '0', [1, 29]),
  },
  minio: {
    packagePath: 'github.com/minio/minio',
    // Conditional writes (If-None-Match, If-Match) are what publication stands on.
    fits: (version) => version.startsWith('minio version') && isReleaseSince(version, '2025-01-01'),
  },
  mc: {
    packagePath: 'github.com/minio/mc',
    // Midnight Commander is an mc too, but not of MinIO.
    fits: (version) => /MinIO/.test(version) && isReleaseSince(version, '2024-01-01'),
  },
};

/** The program on PATH, if its version fits; undefined means that it has to be built. */
export async function findOnPath(name: BinaryName, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const version = await outputOf(name, ['--version'], env);
  return version !== undefined && binaries[name].fits(version) ? name : undefined;
}

/** One program, built from its Go module; go.sum pins every source by checksum. */
export function binaryItem(name: BinaryName): CachedItem {
  const module = join(repositoryRoot, 'stack', 'binaries', name);
  return {
    name,
    definition: ['go.mod', 'go.sum'].map((file) => readFileSync(join(module, file), 'utf8')),
    async build(folder, signal, report) {
      const go = required(await findGo());
      const target = join(folder, name);
      let packages = 0;
      await runCommand({
        purpose: `Building ${name}`,
        file: go,
        args: ['build', '-v', '-mod=readonly', '-trimpath', '-ldflags=-s -w', '-o', target, binaries[name].packagePath],
        cwd: module,
        env: {
          CGO_ENABLED: '0',
          GOTOOLCHAIN: 'auto',
          GOWORK: 'off',
          // No version control is asked for: the checkout may be an archive.
          GOFLAGS: '-buildvcs=false',
          GOMAXPROCS: String(availableParallelism()),
        },
        signal,
        onLine: (line) => {
          if (line.startsWith('go: ')) report(line.slice('go: '.length));
          else report(`${++packages} packages compiled`);
        },
      });
      const version = await outputOf(target, ['--version'], process.env);
      if (version === undefined) throw new StackError(`${name} was built but does not run: ${target} --version fails.`);
    },
  };
}

/** Builds without a release tag (from the module proxy) are taken at their word: they tell no date. */
function isReleaseSince(version: string, date: string): boolean {
  const released = /RELEASE\.(\d{4}-\d{2}-\d{2})/.exec(version)?.[1];
  return released === undefined ? version.includes('DEVELOPMENT') : released >= date;
}
