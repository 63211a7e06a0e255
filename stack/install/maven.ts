import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StackError } from '../errors.ts';
import { sha256 } from '../supervisor/fingerprint.ts';
import type { CachedItem } from './cache.ts';
import { runCommand } from './run-command.ts';

const version = '3.9.11';
const archiveSha256 = '0d7125e8c91097b36edb990ea5934e6c68b4440eef4ea96510a0f6815e7eeadb';

const ivyModule = `<ivy-module version="2.0" xmlns:m="http://ant.apache.org/ivy/maven">
  <info organisation="segue" module="maven"/>
  <dependencies>
    <dependency org="org.apache.maven" name="apache-maven" rev="${version}" transitive="false">
      <artifact name="apache-maven" type="zip" ext="zip" m:classifier="bin"/>
    </dependency>
  </dependencies>
</ivy-module>
`;

/**
 * Maven itself, for machines without it. PySpark brings Ivy, which knows the central repository and honours Java's proxy
 * settings: so no address of a registry stands in this repository.
 */
export function mavenItem(tools: {
  readonly java: string;
  readonly python: string;
  readonly sparkHome: string;
}): CachedItem {
  return {
    name: 'maven',
    definition: [version, archiveSha256],
    async build(folder, signal, report) {
      const moduleFile = join(folder, 'ivy.xml');
      const archive = join(folder, 'apache-maven.zip');
      await writeFile(moduleFile, ivyModule);
      await runCommand({
        purpose: `Fetching Maven ${version}`,
        file: tools.java,
        args: [
          ['-jar', ivyJar(tools.sparkHome), '-cache', join(folder, 'ivy')],
          ['-ivy', moduleFile, '-retrieve', join(folder, '[artifact].[ext]')],
        ].flat(),
        signal,
        onLine: report,
      });
      refuseOtherContent(archive);
      await runCommand({
        purpose: 'Unpacking Maven',
        file: tools.python,
        args: ['-m', 'zipfile', '-e', archive, folder],
        signal,
      });
      await rename(join(folder, `apache-maven-${version}`), join(folder, 'apache-maven'));
      chmodSync(mavenOf(folder), 0o755);
      await Promise.all([archive, join(folder, 'ivy')].map((path) => rm(path, { recursive: true, force: true })));
    },
  };
}

/** The command of a fetched Maven. */
export function mavenOf(folder: string): string {
  return join(folder, 'apache-maven', 'bin', 'mvn');
}

function ivyJar(sparkHome: string): string {
  const jars = join(sparkHome, 'jars');
  const name = readdirSync(jars).find((file) => /^ivy-[\d.]+\.jar$/.test(file));
  if (name === undefined) {
    throw new StackError('Maven is not on PATH, and this PySpark brings no Ivy to fetch it with: install Maven 3.8+.');
  }
  return join(jars, name);
}

function refuseOtherContent(archive: string): void {
  if (!existsSync(archive)) {
    throw new StackError(
      `Maven ${version} could not be fetched: the central repository gave no archive. Install Maven 3.8+.`,
    );
  }
  const found = sha256(readFileSync(archive));
  if (found === archiveSha256) return;
  throw new StackError(
    `Maven ${version} as it was fetched has the checksum ${found}, not the pinned ${archiveSha256}: it is not used. ` +
      'Install Maven 3.8+ by hand, or find out what changes downloads on the way.',
  );
}
