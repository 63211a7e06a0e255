import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Interrupted, StackError } from '../errors.ts';

/** A command of the set-up. */
export interface SetUpCommand {
  /** The purpose of the command, for people: 'building temporal'. */
  readonly purpose: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether a line helps to understand a failure; all do by default. */
  readonly isWorthKeeping?: (line: string) => boolean;
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

const keptLines = 12;
const killAfterMs = 3_000;

/**
 * Runs a command of the set-up and resolves after its success. A failure is a StackError with the failed command, its
 * last lines, and the remedy. The signal ends the command and its child processes.
 */
export async function runCommand(command: SetUpCommand): Promise<void> {
  const { purpose, file, args, cwd, env, signal } = command;
  if (signal?.aborted) throw new Interrupted();
  const lines: string[] = [];
  const child = spawn(file, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, so that its child processes end with it.
    detached: true,
  });
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (line.trim() === '') return;
      if (command.isWorthKeeping?.(line.trim()) ?? true) lines.push(line);
      if (lines.length > keptLines) lines.shift();
      command.onLine?.(line.trim());
    });
  }
  const stop = (): void => endGroup(child.pid);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const how = await new Promise<string | undefined>((resolve, reject) => {
      child.once('error', (cause) => reject(new StackError(`${purpose}: ${file} cannot be run: ${cause.message}`)));
      child.once('close', (code, killedBy) => resolve(code === 0 ? undefined : (killedBy ?? `exit code ${code}`)));
    });
    if (signal?.aborted) throw new Interrupted();
    if (how !== undefined) throw new StackError(describeFailure(purpose, how, lines));
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  signalGroup(pid, 'SIGTERM');
  setTimeout(() => signalGroup(pid, 'SIGKILL'), killAfterMs).unref();
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended already.
  }
}

function describeFailure(purpose: string, how: string, lines: readonly string[]): string {
  const shown = lines.map((line) => `    ${line}`).join('\n');
  return `${purpose} failed (${how}). Its last lines:\n${shown}\n  What to do: ${mendFor(lines.join('\n'))}`;
}

const mends: readonly { readonly pattern: RegExp; readonly mend: string }[] = [
  {
    pattern: /no space left on device|ENOSPC|disk quota exceeded/i,
    mend: 'the disk is full: free some space, or move the cache with SEGUE_CACHE_DIR; then run the same command again.',
  },
  {
    pattern: /ensurepip is not|No module named (ensurepip|venv)|python3-venv/i,
    mend: 'install Python’s venv module (Debian, Ubuntu: apt install python3-venv) and run the same command again.',
  },
  {
    pattern: /do not match the hashes|hash mismatch|checksum mismatch|SECURITY ERROR/i,
    mend: 'a download is not what was pinned: try again; if it stays so, something between here and the registry changes files.',
  },
  {
    pattern:
      /could not resolve|no such host|name or service not known|name resolution|network is unreachable|connection (refused|timed out|reset)|dial tcp|i\/o timeout|could not transfer|could not find a version|unknown host|UnknownHostException|max retries exceeded|no matching distribution|TLS handshake|certificate/i,
    mend:
      'the registry cannot be reached: check the network and the proxy or mirror settings (GOPROXY for Go, pip’s index-url, ' +
      'Maven’s settings.xml); then run the same command again, what is done stays done.',
  },
  {
    pattern: /cannot allocate memory|out of memory|signal: killed|SIGKILL/i,
    mend: 'the machine ran out of memory (a build needs about 1.5 GB): close something and run the same command again.',
  },
];

/** The remedy for a failure with these lines. */
export function mendFor(lines: string): string {
  return (
    mends.find(({ pattern }) => pattern.test(lines))?.mend ??
    'see its lines above; the same command resumes where it stopped. "npm run stack -- doctor" checks the prerequisites.'
  );
}
