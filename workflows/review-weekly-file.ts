import { ApplicationFailure } from '@temporalio/common';
import {
  allHandlersFinished,
  condition,
  defineSignal,
  defineUpdate,
  proxyActivities,
  setHandler,
} from '@temporalio/workflow';
import {
  decideUpdateName,
  supersededSignalName,
  type HeldFile,
  type ReviewResult,
  type WeeklyActivities,
  type WeeklyDecision,
  type WeekSummary,
} from '../contracts/weekly.ts';
import { fileTransfer } from './activity-options.ts';
import { announce } from './announce.ts';
import { checkWeeks, discoverWeeks, ingestWeeks } from './ingest-weeks.ts';
import { trackProgress, type ProgressTracker } from './progress.ts';
import { refreshApart } from './refresh-apart.ts';

const { recordRejection } = proxyActivities<WeeklyActivities>(fileTransfer);

/** The argument of the update: `{"decision": "accept"}`, or `reject`, or `replace`. */
interface DecideInput {
  readonly decision: WeeklyDecision;
}

/** The decision of a person on the file. The update answers with the next step. */
const decideUpdate = defineUpdate<{ readonly file: string; readonly decision: WeeklyDecision }, [DecideInput]>(
  decideUpdateName,
);
/** A newer file of the same week is in bronze already. */
const supersededSignal = defineSignal(supersededSignalName);

const decisions: readonly WeeklyDecision[] = ['accept', 'reject', 'replace'];

/**
 * Waits for a person to decide on a weekly file. `accept` loads the file and puts its bad rows into quarantine,
 * `reject` excludes this content for good, and `replace` reads the file that is in the folder now. The run commits
 * nothing before the decision.
 */
export async function reviewWeeklyFile(first: HeldFile): Promise<ReviewResult> {
  const progress = trackProgress();
  let held = first;
  let decision: WeeklyDecision | undefined;
  let isSuperseded = false;
  setHandler(supersededSignal, () => void (isSuperseded = true));
  setHandler(
    decideUpdate,
    (input) => {
      decision = input.decision;
      return { file: held.file.file, decision: input.decision };
    },
    { validator: (input) => refuseDecision(input, held, decision) },
  );

  for (;;) {
    waitFor(progress, held);
    await condition(() => decision !== undefined || isSuperseded);
    if (decision === undefined) return { file: held.file.file, outcome: 'superseded' };
    await announce({ stage: 'week decided', subject: held.file.file, details: { file: held.file.file, decision } });
    const next = await carryOut(progress, held, decision);
    await condition(allHandlersFinished);
    if ('result' in next) return next.result;
    held = next.held;
    decision = undefined;
  }
}

function waitFor(progress: ProgressTracker, { file, type, message }: HeldFile): void {
  progress.enter('waiting for a decision: accept, reject or replace');
  progress.update({ files: { done: 0, total: 1 }, heldFiles: [{ file: file.file, type, message }] });
}

function refuseDecision(input: DecideInput, held: HeldFile, earlier: WeeklyDecision | undefined): void {
  const decision: unknown = (input as DecideInput | undefined)?.decision;
  if (!decisions.some((known) => known === decision)) {
    throw refusal(`say {"decision": "accept"}, "reject" or "replace"; found ${JSON.stringify(decision ?? null)}`);
  }
  if (earlier !== undefined) throw refusal(`${earlier} was decided already and is being carried out`);
  if (decision === 'accept' && held.type !== 'TooManyRefusedRows') {
    throw refusal(`${held.file.file} cannot be accepted: ${held.type}: ${held.message}`);
  }
}

function refusal(message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, 'DecisionRefused');
}

type Next = { readonly result: ReviewResult } | { readonly held: HeldFile };

async function carryOut(progress: ProgressTracker, held: HeldFile, decision: WeeklyDecision): Promise<Next> {
  const { file } = held;
  progress.update({ heldFiles: [] });
  if (decision === 'reject') {
    progress.enter('rejecting');
    await recordRejection.executeWithOptions({ summary: file.file }, [file]);
    return { result: { file: file.file, outcome: 'rejected' } };
  }
  progress.enter('looking for the file');
  const { files, unsettled } = await discoverWeeks(file.weekly.weekEnd);
  const [now] = files;
  if (!now) return { held: unsettled.includes(file.file) ? unfinished(held) : gone(held) };
  // The person accepted this content. A file with different content has to pass the checks.
  const acceptRefused = decision === 'accept' && now.weekly.stamp === file.weekly.stamp;
  progress.enter('checking files');
  const checked = await checkWeeks(progress, [now], { parallel: 1, acceptRefused });
  if (checked.fit.length === 0) return { held: checked.held[0] ?? unfinished(held) };
  const ingested = await ingestWeeks(progress, checked.fit, 1);
  const [week] = ingested.weeks;
  if (!week) return { held: ingested.held[0] ?? unfinished(held) };
  return { result: await refreshAfter(progress, week) };
}

/** Looking for it has waited for a while already. */
function unfinished(held: HeldFile): HeldFile {
  const message = `${held.file.file} is still being written; when it lies there whole, say replace again. Nothing of it was loaded.`;
  return { ...held, message };
}

function gone(held: HeldFile): HeldFile {
  const { file, weekly } = held.file;
  const message = `${file} lies in no weekly folder now; put it there and say replace, or say reject. (${weekly.weekEnd})`;
  return { ...held, message };
}

async function refreshAfter(progress: ProgressTracker, week: WeekSummary): Promise<ReviewResult> {
  const refreshed = await refreshApart(progress);
  progress.enter('done');
  return { file: week.file, outcome: week.outcome, week, refresh: refreshed };
}
