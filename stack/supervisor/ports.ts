import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { StackError } from '../errors.ts';
import { commandLine } from './identity.ts';

/** A port that a service is about to listen on. */
export interface WantedPort {
  readonly port: number;
  /** The name of the listener, for people: 'MinIO'. */
  readonly label: string;
  /** The environment variable that moves it. */
  readonly variable: string;
}

/** Throws a StackError that names every taken port, the process that holds it if it is visible, and the remedy. */
export async function refuseTakenPorts(wanted: readonly WantedPort[]): Promise<void> {
  const states = await Promise.all(wanted.map(async (entry) => ({ ...entry, isFree: await isPortFree(entry.port) })));
  const taken = states.filter(({ isFree }) => !isFree);
  if (taken.length > 0) throw new StackError(taken.map(describeTaken).join('\n'));
}

/** Whether a server could listen on 127.0.0.1 at this port now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** The process that holds a port, if it is visible, and the remedy. */
export function describeTaken({ port, label, variable }: WantedPort): string {
  const pid = listenerOf(port);
  const holder = pid === undefined ? 'another process' : `pid ${pid} (${shorten(commandLine(pid))})`;
  return `Port ${port} (${label}) is taken by ${holder}: stop it, or set ${variable} to a free port.`;
}

function shorten(command: string): string {
  return command.length > 80 ? `${command.slice(0, 77)}…` : command;
}

/** The process that listens on a port, as far as we may look. */
function listenerOf(port: number): number | undefined {
  return process.platform === 'linux' ? listenerFromProc(port) : listenerFromLsof(port);
}

function listenerFromProc(port: number): number | undefined {
  const inodes = new Set(['tcp', 'tcp6'].flatMap((table) => listeningInodes(`/proc/net/${table}`, port)));
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).find((pid) => holdsSocket(pid, inodes));
}

const listening = '0A';

function listeningInodes(table: string, port: number): string[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  const rows = readFileSync(table, 'utf8').split('\n').slice(1);
  const fields = rows.map((row) => row.trim().split(/\s+/));
  return fields
    .filter(([, local, , state]) => local?.endsWith(`:${hexPort}`) && state === listening)
    .flatMap((row) => row[9] ?? []);
}

/** Other users' processes cannot be looked into; they are simply not found. */
function holdsSocket(pid: number, inodes: ReadonlySet<string>): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => inodes.has(socketInode(`${folder}/${fd}`)));
  } catch {
    return false;
  }
}

function socketInode(fd: string): string {
  return /^socket:\[(\d+)\]$/.exec(readlinkSync(fd))?.[1] ?? '';
}

function listenerFromLsof(port: number): number | undefined {
  try {
    const args = ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-t'];
    const output = execFileSync('lsof', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return Number(output.split('\n')[0]) || undefined;
  } catch {
    // lsof is missing or found no process: the message omits the process.
    return undefined;
  }
}
