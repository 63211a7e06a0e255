import { lockHolder, type LockHolder } from './lock.ts';
import { serviceNames } from './services/service.ts';
import { isAlive, residentBytes } from './supervisor/identity.ts';
import { readRecord, stackFolders, type ServiceState } from './supervisor/records.ts';

/** The state of a service, as seen from outside its supervisor. */
export interface ServiceReport {
  readonly service: string;
  readonly state: ServiceState | 'unsupervised';
  readonly pid: number | null;
  readonly ports: readonly number[];
  readonly url: string | null;
  readonly uptimeSeconds: number | null;
  readonly residentBytes: number | null;
  readonly restarts: number;
}

/** The running services of a state folder. */
export interface StackReport {
  readonly supervisor: LockHolder | null;
  readonly services: readonly ServiceReport[];
}

/** Looks at a state folder's records and at the processes they name. */
export function reportStack(stateDir: string): StackReport {
  const { supervisorFile } = stackFolders(stateDir);
  const supervisor = lockHolder(supervisorFile) ?? null;
  return { supervisor, services: serviceNames.map((name) => reportService(stateDir, name, supervisor !== null)) };
}

function reportService(stateDir: string, service: string, isSupervised: boolean): ServiceReport {
  const record = readRecord(stackFolders(stateDir).runDir, service);
  const none = { service, pid: null, ports: [], url: null, uptimeSeconds: null, residentBytes: null, restarts: 0 };
  if (record === undefined) return { ...none, state: 'stopped' };
  const { ports, url, restarts, identity } = record;
  if (!isAlive(identity)) {
    return { ...none, state: isSupervised ? record.state : 'stopped', restarts };
  }
  return {
    service,
    state: isSupervised ? record.state : 'unsupervised',
    pid: identity.pid,
    ports,
    url,
    uptimeSeconds: Math.round((Date.now() - Date.parse(record.startedAt)) / 1000),
    residentBytes: residentBytes(identity.pid) ?? null,
    restarts,
  };
}

/** A report as a table for people. */
export function formatReport({ supervisor, services }: StackReport): string {
  const rows = services.map((one) => [
    one.service,
    one.state,
    String(one.pid ?? '-'),
    one.ports.join(', ') || '-',
    one.uptimeSeconds === null ? '-' : formatUptime(one.uptimeSeconds),
    one.residentBytes === null ? '-' : `${Math.round(one.residentBytes / 2 ** 20)} MB`,
    String(one.restarts),
    one.url ?? '-',
  ]);
  const head = ['service', 'state', 'pid', 'ports', 'uptime', 'memory', 'restarts', 'url'];
  const foot = supervisor
    ? `supervisor: pid ${supervisor.pid}, since ${supervisor.since}`
    : services.some(({ pid }) => pid !== null)
      ? 'supervisor: gone; "npm run stack -- up" takes these over, "npm run stack -- down" stops them'
      : 'Nothing is running here; "npm run stack -- up" or "npm start" starts it.';
  return `${alignColumns([head, ...rows])}\n\n${foot}`;
}

function alignColumns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function formatUptime(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}
