import { readdirSync, readFileSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { repositoryRoot } from '../config.ts';
import { StackError } from '../errors.ts';
import { sha256 } from '../supervisor/fingerprint.ts';
import type { CachedItem } from './cache.ts';
import { runCommand } from './run-command.ts';

/** The classes that are built here, beside the downloaded jars: Delta's commit-safe log store and the warm server. */
const javaFolder = join(repositoryRoot, 'spark-submit', 'java');
const builtJar = 'segue-spark.jar';
const buildGoals = [
  'org.apache.maven.plugins:maven-compiler-plugin:3.14.0:compile',
  'org.apache.maven.plugins:maven-jar-plugin:3.4.2:jar',
];

/** The sets of jars that Maven fetches: each is a pom.xml with a jars.sha256 beside it. */
export const jarSets = {
  kafka: join(repositoryRoot, 'stack', 'kafka', 'pom.xml'),
  'spark-jars': join(repositoryRoot, 'spark-submit', 'pom.xml'),
} as const;
const copyGoal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
export type JarSetName = keyof typeof jarSets;

/** Answers Maven's command, fetching Maven first where the machine has none. */
export type MavenFinder = (signal: AbortSignal, report: (detail: string) => void) => Promise<string>;

/** A set of jars, copied by Maven and compared with the pinned checksums. */
export function jarsItem(name: JarSetName, maven: MavenFinder): CachedItem {
  const pom = jarSets[name];
  const lockFile = join(dirname(pom), 'jars.sha256');
  return {
    name,
    definition: [readFileSync(pom, 'utf8'), readFileSync(lockFile, 'utf8'), ...builtFrom(name)],
    async build(folder, signal, report) {
      const mavenFile = await maven(signal, report);
      await copyJars({ name, maven: mavenFile, pom, folder, signal, report });
      refuseOtherJars(name, lockFile, folder);
      if (name === 'spark-jars') await buildJava({ maven: mavenFile, folder, signal, report });
    },
  };
}

/** The sources of the built classes. Changed sources need a new folder in the cache. */
function builtFrom(name: JarSetName): string[] {
  if (name !== 'spark-jars') return [];
  const sources = readdirSync(javaFolder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.java') || file === 'pom.xml')
    .toSorted();
  return sources.flatMap((file) => [file, readFileSync(join(javaFolder, file), 'utf8')]);
}

function refuseOtherJars(name: JarSetName, lockFile: string, folder: string): void {
  const differences = compareChecksums(readFileSync(lockFile, 'utf8'), checksumsOf(folder));
  if (differences.length === 0) return;
  throw new StackError(
    `The jars for ${name} are not those that ${lockFile} pins: ${differences.slice(0, 5).join('; ')}. ` +
      'Delete them from Maven’s local repository (~/.m2/repository) and run the same command again; ' +
      'after a wanted change of the pom.xml, pin anew with "npm run stack -- lock-jars".',
  );
}

/** Compiles spark-submit/java into a jar beside the downloaded jars. */
async function buildJava({ maven, folder, signal, report }: MavenRun): Promise<void> {
  const work = join(folder, 'java');
  await runMaven({
    purpose: 'Building the jar of spark-submit/java',
    maven,
    signal,
    report,
    args: ['-f', join(javaFolder, 'pom.xml'), ...buildGoals, `-Dsegue.buildDirectory=${work}`],
  });
  await rename(join(work, builtJar), join(folder, builtJar));
  await rm(work, { recursive: true });
}

/** Fetches a set of jars and writes down their checksums, after a wanted change of its pom.xml. */
export async function lockJars(name: JarSetName, maven: string, folder: string): Promise<string> {
  const pom = jarSets[name];
  await copyJars({ name, maven, pom, folder });
  const lockFile = join(dirname(pom), 'jars.sha256');
  await writeFile(lockFile, checksumsOf(folder));
  return lockFile;
}

/** A run of Maven that fills a folder. */
interface MavenRun {
  readonly maven: string;
  readonly folder: string;
  readonly signal?: AbortSignal | undefined;
  readonly report?: ((detail: string) => void) | undefined;
}

function copyJars(copy: MavenRun & { readonly name: string; readonly pom: string }): Promise<void> {
  const { name, maven, pom, folder, signal, report } = copy;
  return runMaven({
    purpose: `Fetching the jars for ${name}`,
    maven,
    signal,
    report,
    args: ['-f', pom, copyGoal, `-DoutputDirectory=${folder}`],
  });
}

async function runMaven(
  run: Omit<MavenRun, 'folder'> & { readonly purpose: string; readonly args: readonly string[] },
): Promise<void> {
  await runCommand({
    purpose: run.purpose,
    file: run.maven,
    args: ['-B', '-ntp', '-Dstyle.color=never', ...run.args],
    signal: run.signal,
    // Show the error of a failed build, without Maven's advice on further options.
    isWorthKeeping: (line) => !/^\[INFO\]|Re-run Maven|-e switch|For more information|^\[ERROR\] (\[Help|$)/.test(line),
    ...(run.report && { onLine: (line: string) => run.report?.(line.replace(/^\[INFO\] /, '').slice(0, 100)) }),
  });
}

/** A line per jar, in the format of sha256sum. */
export function checksumsOf(folder: string): string {
  const jars = readdirSync(folder)
    .filter((name) => name.endsWith('.jar'))
    .toSorted();
  return jars.map((name) => `${sha256(readFileSync(join(folder, name)))}  ${name}\n`).join('');
}

/** The differences between pinned and found checksums, in words. Undefined if they agree. */
export function compareChecksums(pinned: string, found: string): string[] {
  const wanted = parseChecksums(pinned);
  const present = parseChecksums(found);
  const missing = [...wanted.keys()].filter((name) => !present.has(name)).map((name) => `${name} is missing`);
  const strange = [...present.keys()].filter((name) => !wanted.has(name)).map((name) => `${name} is not pinned`);
  const changed = [...wanted].filter(([name, sum]) => present.has(name) && present.get(name) !== sum);
  return [...missing, ...strange, ...changed.map(([name]) => `${name} has other content`)];
}

function parseChecksums(text: string): Map<string, string> {
  const rows = text.split('\n').filter((line) => line !== '');
  return new Map(rows.map((line) => [line.slice(66), line.slice(0, 64)]));
}
