import { join } from 'node:path';
import { execa } from 'execa';
import { StackError } from '../errors.ts';

/** A program that has to be on the machine. */
export interface Prerequisite {
  readonly name: string;
  /** Where it was found, with its version; undefined when it is missing or too old. */
  readonly found?: { readonly file: string; readonly version: string };
  /** The problem and its remedy, if no fitting program was found. */
  readonly problem?: string;
}

/** The JDK: JAVA_HOME's, else the first on PATH; 17 or newer, with the compiler that the log store is built by. */
export async function findJava(env: NodeJS.ProcessEnv = process.env): Promise<Prerequisite> {
  const mend = 'install a JDK 17 or newer (Debian, Ubuntu: apt install openjdk-17-jdk-headless) or set JAVA_HOME';
  const home = env['JAVA_HOME'];
  const programOf = (name: string): string => (home ? join(home, 'bin', name) : name);
  const file = programOf('java');
  const [output, compiler] = await Promise.all(
    [file, programOf('javac')].map((program) => outputOf(program, ['-version'], env)),
  );
  if (output === undefined) {
    const where = home ? `JAVA_HOME (${home}) has no bin/java` : 'no java was found on PATH';
    return { name: 'Java', problem: `Java is missing: ${where}; ${mend}.` };
  }
  const version = /version "(?:1\.)?(\d+)[^"]*"/.exec(output);
  if (Number(version?.[1] ?? 0) < 17) {
    return { name: 'Java', problem: `Java ${version?.[1] ?? '(version unknown)'} is too old: ${mend}.` };
  }
  if (Number(/javac (?:1\.)?(\d+)/.exec(compiler ?? '')?.[1] ?? 0) < 17) {
    const where = home ? `in JAVA_HOME (${home})` : 'on PATH';
    return { name: 'Java', problem: `Java cannot compile here: no javac 17 or newer was found ${where}; ${mend}.` };
  }
  return { name: 'Java', found: { file, version: /"([^"]+)"/.exec(output)?.[1] ?? '' } };
}

const pythonNames = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python'];
const pythonQuestion =
  'import sys, importlib.util as u; print(".".join(map(str, sys.version_info[:3])), u.find_spec("venv") is not None and u.find_spec("ensurepip") is not None)';

/** The first Python on PATH that is 3.10 or newer and has the venv module. */
export async function findPython(env: NodeJS.ProcessEnv = process.env): Promise<Prerequisite> {
  const mend = 'install Python 3.10 or newer with its venv module (Debian, Ubuntu: apt install python3 python3-venv)';
  const problems: string[] = [];
  for (const file of pythonNames) {
    const output = await outputOf(file, ['-c', pythonQuestion], env);
    const [version, hasVenv] = output?.trim().split(' ') ?? [];
    if (version === undefined || hasVenv === undefined) continue;
    if (!isAtLeast(version, [3, 10])) problems.push(`${file} is ${version}, too old`);
    else if (hasVenv === 'True') return { name: 'Python', found: { file, version } };
    else problems.push(`${file} ${version} has no venv module`);
  }
  const why = problems.length > 0 ? problems.join('; ') : 'no python3 was found on PATH';
  return { name: 'Python', problem: `Python cannot be used: ${why}; ${mend}.` };
}

/** Go 1.24 or newer, for building tools that are not on PATH. */
export async function findGo(env: NodeJS.ProcessEnv = process.env): Promise<Prerequisite> {
  const mend = 'install Go 1.24 or newer, or put temporal, minio and MinIO’s mc on PATH';
  const output = await outputOf('go', ['version'], env);
  const version = /go(\d+\.\d+(?:\.\d+)?)/.exec(output ?? '')?.[1];
  if (version === undefined) return { name: 'Go', problem: `Go is missing: no go was found on PATH; ${mend}.` };
  if (!isAtLeast(version, [1, 24])) return { name: 'Go', problem: `Go ${version} is too old: ${mend}.` };
  return { name: 'Go', found: { file: 'go', version } };
}

/** Maven 3.8 or newer on PATH; not a prerequisite: without it, set-up fetches its own. */
export async function findMaven(env: NodeJS.ProcessEnv = process.env): Promise<Prerequisite> {
  const version = /Apache Maven (\d+\.\d+\.\d+)/.exec((await outputOf('mvn', ['--version'], env)) ?? '')?.[1];
  if (version !== undefined && isAtLeast(version, [3, 8])) return { name: 'Maven', found: { file: 'mvn', version } };
  return { name: 'Maven' };
}

/** The file of a prerequisite. Throws the problem if it is missing. */
export function required({ name, found, problem }: Prerequisite): string {
  if (found) return found.file;
  throw new StackError(problem ?? `${name} is missing.`);
}

/** A program's output on stdout and stderr. Undefined if it does not run or fails. */
export async function outputOf(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const { exitCode, all } = await execa(file, args, {
    env,
    extendEnv: false,
    all: true,
    reject: false,
    stdin: 'ignore',
    timeout: 30_000,
  });
  return exitCode === 0 ? all : undefined;
}

/** Compares dotted versions by their leading numbers. */
export function isAtLeast(version: string, wanted: readonly number[]): boolean {
  const parts = version.split('.').map((part) => Number.parseInt(part, 10));
  for (const [index, minimum] of wanted.entries()) {
    const part = parts[index] ?? 0;
    if (part !== minimum) return part > minimum;
  }
  return true;
}
