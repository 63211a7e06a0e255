import { spawn } from 'node:child_process';
import { closeSync, mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { StackError } from '../errors.ts';
import type { ServiceCommand } from '../services/service.ts';
import { withoutVariables } from '../../platform/variables.ts';
import { groupMembers, hasVariable, identify, isAlive, type ProcessIdentity } from './identity.ts';
import { openLog } from './logs.ts';

/** The variable that marks a service's process and everything it starts. */
export const markerVariable = 'SEGUE_STACK_PROCESS';

const pollMs = 250;

/** A process that runs apart from us: in a group of its own, writing to its log, alive after our death. */
export interface WatchedProcess {
  readonly identity: ProcessIdentity;
  /** Resolves with how it ended, in words. */
  readonly ended: Promise<string>;
}

/** Starts a command in a process group of its own, with its output appended to a log file. */
export async function startProcess(
  command: ServiceCommand,
  { log, marker, env }: { readonly log: string; readonly marker: string; readonly env: NodeJS.ProcessEnv },
): Promise<WatchedProcess> {
  mkdirSync(command.cwd, { recursive: true });
  const own = command.withoutEnv ? withoutVariables(env, command.withoutEnv) : env;
  const output = openLog(log);
  try {
    const child = spawn(command.file, command.args, {
      cwd: command.cwd,
      env: { ...own, ...command.env, [markerVariable]: marker },
      detached: true,
      stdio: ['ignore', output, output],
    });
    const ended = new Promise<string>((resolve) => {
      child.once('exit', (code, signal) => resolve(signal ? `killed by ${signal}` : `exit code ${code}`));
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => reject(new StackError(`${command.file}: ${cause.message}`, { cause })));
    });
    const pid = child.pid;
    // A process that has ended already has no start time to be told; its exit is all there is to know.
    const identity = (pid !== undefined && identify(pid)) || { pid: pid ?? -1, startTime: 'ended' };
    return { identity, ended };
  } finally {
    closeSync(output);
  }
}

/** Watches a process that was started elsewhere. */
export function watchProcess(identity: ProcessIdentity): WatchedProcess {
  return { identity, ended: pollUntilGone(identity) };
}

async function pollUntilGone(identity: ProcessIdentity): Promise<string> {
  while (isAlive(identity)) await sleep(pollMs);
  return 'ended';
}

/**
 * Ends a process and its child processes: sends SIGTERM to it, waits for its end, and then sends SIGKILL to the rest of
 * its group. No foreign process is affected: pid and start time identify the process, and a marker identifies the rest
 * of the group. Resolves when all of them are gone.
 */
export async function terminate(
  identity: ProcessIdentity,
  { marker, graceMs, signal }: { readonly marker: string; readonly graceMs: number; readonly signal?: AbortSignal },
): Promise<void> {
  const deadline = Date.now() + graceMs;
  if (isAlive(identity)) sendSignal(identity.pid, 'SIGTERM');
  const isGraceOver = (): boolean => Date.now() >= deadline || signal?.aborted === true;
  while (isAlive(identity) && !isGraceOver()) await sleep(50);
  const group = markedMembers(identity.pid, marker).map(identify);
  killNow(identity, marker);
  while ([identity, ...group].some((member) => member && isAlive(member))) await sleep(20);
}

/** Sends SIGKILL to a process and to the rest of its group. */
export function killNow(identity: ProcessIdentity, marker: string): void {
  if (isAlive(identity)) sendSignal(-identity.pid, 'SIGKILL');
  else killLeftovers(identity.pid, marker);
}

/** Sends SIGKILL to the members of a group whose leader has ended. */
export function killLeftovers(groupId: number, marker: string): void {
  for (const pid of markedMembers(groupId, marker)) sendSignal(pid, 'SIGKILL');
}

function markedMembers(groupId: number, marker: string): number[] {
  return groupMembers(groupId).filter((pid) => hasVariable(pid, markerVariable, marker));
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It ended between our look and our signal.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
