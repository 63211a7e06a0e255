import { defineSearchAttributeKey, WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  getExternalWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  startChild,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { weeklyReviewId, weekSearchAttribute } from '../contracts/ids.ts';
import {
  supersededSignalName,
  type HeldFile,
  type WaitingFile,
  type WeeklyTrendsInput,
  type WeeklyTrendsResult,
  type WeekSummary,
} from '../contracts/weekly.ts';
import { announce } from './announce.ts';
import { checkWeeks, discoverWeeks, ingestWeeks, type IngestedWeeks } from './ingest-weeks.ts';
import { checkInput } from './input.ts';
import { trackProgress, type ProgressTracker } from './progress.ts';
import { refreshApart } from './refresh-apart.ts';
import { reviewWeeklyFile } from './review-weekly-file.ts';
import { secondsSince } from './seconds.ts';

const defaultParallel = 4;
const weekKey = defineSearchAttributeKey(weekSearchAttribute, 'KEYWORD');
const scheduledStartKey = defineSearchAttributeKey('TemporalScheduledStartTime', 'DATETIME');

/**
 * Loads every weekly file that is not in the ledger into bronze exactly once, oldest week first, and refreshes the
 * recommendations. A broken file, or a file with too many bad rows, goes to a review that waits for a person. The run
 * continues with the remaining weeks. The files in the landing zone decide which weeks a run loads, and never the
 * clock.
 */
export async function weeklyTrendsIngestion(input: WeeklyTrendsInput = {}): Promise<WeeklyTrendsResult> {
  const progress = trackProgress();
  checkInput('weeklyTrendsIngestion', input);
  const { parallel = defaultParallel } = input;
  const discoverStartedAt = Date.now();
  progress.enter('looking for weekly files');
  const listing = await discoverWeeks();
  nameWeek(listing.files.at(-1)?.weekly.weekEnd);
  const discover = secondsSince(discoverStartedAt);

  const checkStartedAt = Date.now();
  progress.enter('checking files');
  const checked = await checkWeeks(progress, listing.files, { parallel });
  const check = secondsSince(checkStartedAt);

  const bronzeStartedAt = Date.now();
  const waitingBefore = await handOver(progress, checked.held);
  const ingested = checked.fit.length > 0 ? await ingestWeeks(progress, checked.fit, parallel) : undefined;
  const waiting = [...waitingBefore, ...(await handOver(progress, ingested?.held ?? []))];
  const bronze = secondsSince(bronzeStartedAt);

  // A week that is in bronze needs no decision on a second file, even if the refresh fails.
  await closeReviews(ingested?.weeks ?? []);
  const refreshStartedAt = Date.now();
  const refreshed = input.refresh === false ? undefined : await refreshApart(progress);
  progress.enter('done');
  const scheduledFor = workflowInfo().typedSearchAttributes.get(scheduledStartKey)?.toISOString();
  return {
    ...summary(ingested),
    known: listing.known,
    waiting,
    ignored: listing.ignored,
    unsettled: [...listing.unsettled, ...checked.unsettled, ...(ingested?.unsettled ?? [])],
    seconds: { discover, check, bronze, refresh: secondsSince(refreshStartedAt) },
    ...(scheduledFor && { scheduledFor }),
    ...(refreshed && { refresh: refreshed }),
  };
}

/** In the Web UI a run is found by its week; of several, by the newest. */
function nameWeek(weekEnd: string | undefined): void {
  if (weekEnd !== undefined) upsertSearchAttributes([{ key: weekKey, value: weekEnd }]);
}

/** Starts a review for each file. The review outlives this run. An open review of the file keeps waiting. */
async function handOver(progress: ProgressTracker, held: readonly HeldFile[]): Promise<readonly WaitingFile[]> {
  const waiting: WaitingFile[] = [];
  for (const each of held) {
    const { file, type, message } = each;
    const { weekEnd } = file.weekly;
    const isNew = await startReview(each);
    waiting.push({ file: file.file, weekEnd, type, message, reviewId: weeklyReviewId({ weekEnd }) });
    if (isNew) await announce({ stage: 'week waits', subject: file.file, details: { file: file.file, type, message } });
  }
  if (waiting.length > 0)
    progress.update({ heldFiles: waiting.map(({ file, type, message }) => ({ file, type, message })) });
  return waiting;
}

async function startReview(held: HeldFile): Promise<boolean> {
  const { weekEnd } = held.file.weekly;
  try {
    await startChild(reviewWeeklyFile, {
      workflowId: weeklyReviewId({ weekEnd }),
      args: [held],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      typedSearchAttributes: [{ key: weekKey, value: weekEnd }],
      staticSummary: `${held.file.file} waits: ${held.type}`,
      staticDetails: held.message,
    });
    return true;
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
    throw error;
  }
}

/** A week that was ingested needs no word on an earlier file of it. */
async function closeReviews(weeks: readonly WeekSummary[]): Promise<void> {
  await Promise.all(weeks.map((week) => closeReview(weeklyReviewId(week))));
}

async function closeReview(reviewId: string): Promise<void> {
  try {
    await getExternalWorkflowHandle(reviewId).signal(supersededSignalName);
  } catch (error) {
    // Nearly always there is none: then there is nothing to close.
    if (isCancellation(error)) throw error;
  }
}

function summary(ingested: IngestedWeeks | undefined): Pick<WeeklyTrendsResult, 'weeks' | 'rows' | 'uploadedBytes'> {
  const weeks = ingested?.weeks ?? [];
  const total = (of: (week: WeekSummary) => number): number => weeks.reduce((sum, week) => sum + of(week), 0);
  return {
    weeks,
    rows: {
      inFiles: total(({ rows }) => rows),
      bronze: total(({ bronze }) => bronze),
      quarantined: total(({ quarantined }) => quarantined),
    },
    uploadedBytes: ingested?.uploadedBytes ?? 0,
  };
}
