import { defineQuery, defineSignal, setCurrentDetails, setHandler } from '@temporalio/workflow';
import { progressQueryName, progressSignalName, type ProgressReport, type RunProgress } from '../contracts/progress.ts';
import type { WriteLockWait } from '../contracts/write-locks.ts';

/** Where a run stands; answered from memory, at any time. */
export const progressQuery = defineQuery<RunProgress>(progressQueryName);

/** The messages from an activity to the run that called it. */
export const reportProgressSignal = defineSignal<[ProgressReport]>(progressSignalName);

/** The progress of a run. The workflow reports each step, and its activities report details through signals. */
export interface ProgressTracker {
  /** Sets the current step, for the query and for the current details in the Web UI. */
  enter(stage: string): void;
  update(change: Partial<RunProgress>): void;
  /** Reports how many bytes of a file are in the landing bucket. */
  uploaded(file: string, bytes: number): void;
  /** Reports the lock that the run waits for and the run that holds it; undefined when the wait is over. */
  waitFor(wait: WriteLockWait | undefined): void;
}

/** Sets the `progress` query and the signal that feeds it; call before the first await. */
export function trackProgress(): ProgressTracker {
  let progress: RunProgress = {
    stage: 'starting',
    files: { done: 0, total: 0 },
    uploadBytes: { done: 0, total: 0 },
    rows: { inFiles: 0, loaded: 0 },
  };
  const bytesOfFile = new Map<string, number>();
  const change = (next: RunProgress): void => {
    progress = next;
    setCurrentDetails(describe(progress));
  };
  const uploaded = (file: string, bytes: number): void => {
    bytesOfFile.set(file, bytes);
    const done = [...bytesOfFile.values()].reduce((sum, count) => sum + count, 0);
    change({ ...progress, uploadBytes: { ...progress.uploadBytes, done } });
  };

  setHandler(progressQuery, () => progress);
  setHandler(reportProgressSignal, (report) => {
    if (report.kind === 'spark') change({ ...progress, spark: report.spark });
    else uploaded(report.file, report.bytes);
  });

  return {
    enter(stage) {
      const { spark: _finished, ...rest } = progress;
      change({ ...rest, stage });
    },
    uploaded,
    waitFor(waitingFor) {
      const { waitingFor: _over, ...rest } = progress;
      change(waitingFor ? { ...rest, waitingFor } : rest);
    },
    update: (changed) => change({ ...progress, ...changed }),
  };
}

function describe(progress: RunProgress): string {
  const { files, rows, spark, waitingFor, heldFiles = [], failedRefresh } = progress;
  const lines = [`**${progress.stage}**`, `files ${files.done}/${files.total}, rows ${rows.loaded}/${rows.inFiles}`];
  if (spark) lines.push(`Spark ${spark.job}: ${spark.step}, tasks ${spark.tasksDone}/${spark.tasksTotal}`);
  if (waitingFor) lines.push(`waits for the write lock on ${waitingFor.lock}, held by ${waitingFor.heldBy}`);
  for (const { file, type, message } of heldFiles) lines.push(`${file} waits for a person: ${type}: ${message}`);
  if (failedRefresh) lines.push(`the refresh ${failedRefresh.workflowId} failed: ${failedRefresh.type}`);
  return lines.join('\n\n');
}
