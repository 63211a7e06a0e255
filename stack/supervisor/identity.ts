import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** The identity of a process. The system reuses pids, but pid and start time together are unique. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
}

const isLinux = process.platform === 'linux';

/** The process with this pid now. Undefined if there is none, or only a zombie that waits for its parent. */
export function identify(pid: number): ProcessIdentity | undefined {
  const startTime = isLinux ? startTimeFromProc(pid) : startTimeFromPs(pid);
  return startTime === undefined ? undefined : { pid, startTime };
}

/** Whether exactly that process still runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTime === identity.startTime;
}

/** This process. */
export function ownIdentity(): ProcessIdentity {
  const own = identify(process.pid);
  if (own === undefined) throw new Error('this process cannot find itself in the process table');
  return own;
}

/** Resident memory of a process in bytes; undefined when it has ended. */
export function residentBytes(pid: number): number | undefined {
  if (!isLinux) {
    const kib = Number(ps(['-o', 'rss=', '-p', String(pid)]));
    return Number.isFinite(kib) && kib > 0 ? kib * 1024 : undefined;
  }
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readOrEmpty(`/proc/${pid}/status`))?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}

/** The command line of a process, for people. */
export function commandLine(pid: number): string {
  const line = isLinux
    ? readOrEmpty(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')
    : (ps(['-o', 'command=', '-p', String(pid)]) ?? '');
  return line.trim();
}

/** The processes that still belong to a process group. */
export function groupMembers(groupId: number): number[] {
  if (!isLinux) {
    const rows = (ps(['-axo', 'pid=,pgid=']) ?? '').split('\n').map((row) => row.trim().split(/\s+/).map(Number));
    return rows.filter(([, group]) => group === groupId).flatMap(([pid]) => (pid === undefined ? [] : [pid]));
  }
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => Number(statFields(pid)?.[2]) === groupId);
}

/** Whether a process was started with this variable set to this value; false where that cannot be known. */
export function hasVariable(pid: number, name: string, value: string): boolean {
  const environment = isLinux
    ? readOrEmpty(`/proc/${pid}/environ`).split('\0')
    : (ps(['-E', '-o', 'command=', '-p', String(pid)]) ?? '').split(' ');
  return environment.includes(`${name}=${value}`);
}

function startTimeFromProc(pid: number): string | undefined {
  const fields = statFields(pid);
  if (fields === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return `${bootId()}:${fields[19]}`;
}

/** Fields of /proc/PID/stat from the third (state) on: the second, the name, may hold blanks and parentheses. */
function statFields(pid: number): string[] | undefined {
  const stat = readOrEmpty(`/proc/${pid}/stat`);
  return stat === '' ? undefined : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Start times count from the boot, so they are comparable within a boot only. */
function bootId(): string {
  return readOrEmpty('/proc/sys/kernel/random/boot_id').slice(0, 8);
}

function startTimeFromPs(pid: number): string | undefined {
  const [state, ...started] = (ps(['-o', 'state=,lstart=', '-p', String(pid)]) ?? '').trim().split(/\s+/);
  return !state || state.startsWith('Z') ? undefined : started.join(' ');
}

/** Ends with undefined for a process that is not there: ps exits with 1. */
function ps(args: readonly string[]): string | undefined {
  try {
    return execFileSync('ps', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return undefined;
  }
}

/** Processes may end during the check: an unreadable process is gone. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
