import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  type Client,
  type WorkflowExecutionInfo,
} from '@temporalio/client';
import {
  initialLoadId,
  refreshId,
  taskQueue as defaultTaskQueue,
  weeklyReviewId,
  weeklyTrendsId,
  workflowTypes,
} from '../contracts/ids.ts';
import { progressQueryName, type RunProgress } from '../contracts/progress.ts';
import { decideUpdateName, type WeeklyDecision } from '../contracts/weekly.ts';
import { forgetUserId } from '../contracts/forgetting.ts';
import { hashOfUser } from '../platform/forgotten-users.ts';
import { within } from './events/producer-link.ts';
import { boundUpdate, updateTimeoutMs } from './updates.ts';

const queryTimeoutMs = 2_000;
const listed = 20;

/** A run of a workflow in the API's format. */
export interface PipelineRun {
  readonly workflow_id: string;
  readonly run_id: string;
  readonly type: string;
  readonly status: string;
  readonly started_at: string;
  readonly closed_at: string | null;
  readonly progress: RunProgress | null;
}

/** The runs that a request can start. */
export const startableRuns = {
  'initial-load': { type: workflowTypes.initialDataLoad, workflowId: initialLoadId },
  'weekly-trends': { type: workflowTypes.weeklyTrendsIngestion, workflowId: weeklyTrendsId },
  refresh: { type: workflowTypes.refreshRecommendations, workflowId: refreshId },
} as const;

export type StartableRun = keyof typeof startableRuns;

/** Starting and watching runs. */
export interface Pipeline {
  /** Starts a run, or joins the open run with the same id. */
  start(run: StartableRun): Promise<{ readonly workflowId: string; readonly isNew: boolean }>;
  /** Starts forgetting a user, or joins the open run for the same user. */
  forget(userId: string): Promise<{ readonly workflowId: string; readonly isNew: boolean }>;
  list(): Promise<readonly PipelineRun[]>;
  describe(workflowId: string): Promise<PipelineRun | undefined>;
  /**
   * Hands a person's word on a weekly file to the review that waits for it. Throws NothingToDecide where none waits, and
   * DecisionRefused where the review does not take it; another error where no worker answers in time.
   */
  decide(weekEnd: string, decision: WeeklyDecision): Promise<{ readonly workflowId: string }>;
}

/** No weekly file of that week waits for a person. */
export class NothingToDecide extends Error {
  override readonly name = 'NothingToDecide';
}

/** The review does not take that decision; the message says why. */
export class DecisionRefused extends Error {
  override readonly name = 'DecisionRefused';
}

/** The pipeline through a Temporal client. */
export function createPipeline(
  client: Client,
  taskQueue: string = defaultTaskQueue,
  decisionTimeoutMs: number = updateTimeoutMs,
): Pipeline {
  return {
    async start(run) {
      const { type, workflowId } = startableRuns[run];
      return { workflowId, isNew: await startOrJoin(client, type, { taskQueue, workflowId }) };
    },
    async forget(userId) {
      const workflowId = forgetUserId({ userHash: hashOfUser(userId) });
      const options = { taskQueue, workflowId, args: [{ userId }] };
      return { workflowId, isNew: await startOrJoin(client, workflowTypes.forgetUser, options) };
    },
    async list() {
      const types = Object.values(workflowTypes).map((type) => `'${type}'`);
      const found: WorkflowExecutionInfo[] = [];
      for await (const execution of client.workflow.list({
        query: `WorkflowType IN (${types.join(', ')})`,
        pageSize: listed,
      })) {
        found.push(execution);
        if (found.length === listed) break;
      }
      return Promise.all(found.map((execution) => describe(client, execution)));
    },
    async describe(workflowId) {
      try {
        return await describe(client, await client.workflow.getHandle(workflowId).describe());
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return undefined;
        throw error;
      }
    },
    decide: (weekEnd, decision) =>
      boundUpdate(client, decisionTimeoutMs, () => decide(client, weeklyReviewId({ weekEnd }), decision)),
  };
}

async function decide(
  client: Client,
  workflowId: string,
  decision: WeeklyDecision,
): Promise<{ readonly workflowId: string }> {
  try {
    await client.workflow.getHandle(workflowId).executeUpdate(decideUpdateName, { args: [{ decision }] });
    return { workflowId };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) {
      throw new NothingToDecide(`no run ${workflowId} waits`, { cause: error });
    }
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    throw new DecisionRefused(error.cause?.message ?? error.message, { cause: error });
  }
}

/** True if the request started a run, false if it joined the open run. */
async function startOrJoin(
  client: Client,
  type: string,
  options: { readonly taskQueue: string; readonly workflowId: string; readonly args?: unknown[] },
): Promise<boolean> {
  try {
    await client.workflow.start(type, { args: [], staticSummary: 'asked for by POST /pipeline', ...options });
    return true;
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return false;
  }
}

type Execution = Pick<WorkflowExecutionInfo, 'workflowId' | 'runId' | 'type' | 'status' | 'startTime'> & {
  readonly closeTime?: Date | undefined;
};

async function describe(client: Client, execution: Execution): Promise<PipelineRun> {
  const { workflowId, runId, type, status, startTime, closeTime } = execution;
  return {
    workflow_id: workflowId,
    run_id: runId,
    type,
    status: status.name.toLowerCase(),
    started_at: startTime.toISOString(),
    closed_at: closeTime?.toISOString() ?? null,
    progress: status.name === 'RUNNING' ? await queryProgress(client, workflowId) : null,
  };
}

/** Null when no worker answers in time: a list of runs must not wait for a worker that is away. */
async function queryProgress(client: Client, workflowId: string): Promise<RunProgress | null> {
  try {
    return await within(queryTimeoutMs, client.workflow.getHandle(workflowId).query<RunProgress>(progressQueryName));
  } catch {
    return null;
  }
}
