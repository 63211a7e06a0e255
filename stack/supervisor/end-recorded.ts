import { terminate } from './process.ts';
import { readRecord, removeRecord, stackFolders } from './records.ts';

const graceMs = 8_000;

/** Ends a service by its record, including its child processes. Does nothing without a record. */
export async function endRecorded(stateDir: string, service: string, hurry?: AbortSignal): Promise<void> {
  const { runDir } = stackFolders(stateDir);
  const record = readRecord(runDir, service);
  if (record === undefined) return;
  await terminate(record.identity, { marker: record.marker, graceMs, ...(hurry && { signal: hurry }) });
  removeRecord(runDir, service);
}
