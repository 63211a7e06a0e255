import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessIdentity } from './identity.ts';

/** The record of a service. Undefined if no running service is recorded. */
export interface ServiceRecord {
  readonly service: string;
  readonly identity: ProcessIdentity;
  /** In the environment of the process and of all it starts: marks them as this start's. */
  readonly marker: string;
  readonly fingerprint: string;
  /** ISO time of the start. */
  readonly startedAt: string;
  readonly state: ServiceState;
  readonly restarts: number;
  readonly ports: readonly number[];
  readonly url: string | null;
  readonly command: readonly string[];
}

/** The state of a service. `unhealthy`: the process runs but has not answered its probe for a while. */
export type ServiceState = 'starting' | 'running' | 'unhealthy' | 'restarting' | 'failed' | 'stopped';

/** Where a stack's records, logs and lock lie. */
export interface StackFolders {
  readonly stateDir: string;
  readonly runDir: string;
  readonly logsDir: string;
  readonly supervisorFile: string;
}

/** The folders of a state folder. */
export function stackFolders(stateDir: string): StackFolders {
  const runDir = join(stateDir, 'run');
  return { stateDir, runDir, logsDir: join(stateDir, 'logs'), supervisorFile: join(runDir, 'supervisor.json') };
}

/** The log of a service. */
export function logFile(stateDir: string, service: string): string {
  return join(stackFolders(stateDir).logsDir, `${service}.log`);
}

/** Writes a record atomically: a reader sees the old record or the new record. */
export function writeRecord(runDir: string, record: ServiceRecord): void {
  mkdirSync(runDir, { recursive: true });
  const path = recordFile(runDir, record.service);
  writeFileSync(`${path}.new`, `${JSON.stringify(record, null, 2)}\n`);
  renameSync(`${path}.new`, path);
}

/** The record of a service; undefined when it is not running as far as anybody wrote down. */
export function readRecord(runDir: string, service: string): ServiceRecord | undefined {
  try {
    return JSON.parse(readFileSync(recordFile(runDir, service), 'utf8')) as ServiceRecord;
  } catch {
    // The record does not exist or was removed. Records are renamed into place, so no record is half written.
    return undefined;
  }
}

/** Forgets a service that has ended. */
export function removeRecord(runDir: string, service: string): void {
  rmSync(recordFile(runDir, service), { force: true });
}

/** All records of a state folder. */
export function readRecords(runDir: string): ServiceRecord[] {
  try {
    const names = readdirSync(runDir).filter((name) => name.endsWith('.service.json'));
    return names.flatMap((name) => readRecord(runDir, name.slice(0, -'.service.json'.length)) ?? []);
  } catch {
    // No run folder: nothing was ever started.
    return [];
  }
}

function recordFile(runDir: string, service: string): string {
  return join(runDir, `${service}.service.json`);
}
