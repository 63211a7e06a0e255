import { WithStartWorkflowOperation, WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure, type Workflow } from '@temporalio/common';
import { rollBackUpdateName, rollbackId, taskQueue as defaultTaskQueue, workflowTypes } from '../contracts/ids.ts';
import { lake } from '../contracts/lake.ts';
import type { RollbackResult } from '../contracts/runs.ts';
import { modelRecord, snapshotPointer, type ModelRecord, type SnapshotPointer } from '../contracts/schemas/snapshot.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import { boundUpdate, updateTimeoutMs } from './updates.ts';

const { serving } = lake.buckets;
const listed = 50;

/** The models there are, and which is served. */
export interface ModelListing {
  readonly pointer: SnapshotPointer | undefined;
  /** Newest first. */
  readonly models: readonly ModelRecord[];
}

/** Trained models, and the rollback to a model. */
export interface Models {
  list(): Promise<ModelListing>;
  /** Serves a published model; answers once the pointer has moved. Throws ModelNotPublished or RollbackRefused. */
  rollBack(modelVersion: string): Promise<RollbackResult>;
}

/** There is no snapshot of that model. */
export class ModelNotPublished extends Error {
  override readonly name = 'ModelNotPublished';
}

/** The snapshot of that model cannot be served; the message says why. */
export class RollbackRefused extends Error {
  override readonly name = 'RollbackRefused';
}

/** The models in the store. A workflow does the rollback, as it does every publication. */
export function createModels(store: ObjectStore, client: Client, taskQueue: string = defaultTaskQueue): Models {
  return {
    list: async () => {
      const [pointer, models] = await Promise.all([readPointer(store), readModels(store)]);
      return { pointer, models };
    },
    rollBack: (modelVersion) => boundUpdate(client, updateTimeoutMs, () => rollBack(client, taskQueue, modelVersion)),
  };
}

async function readPointer(store: ObjectStore): Promise<SnapshotPointer | undefined> {
  const object = await store.get(serving, lake.prefixes.pointer);
  return object && snapshotPointer.parse(JSON.parse(object.body.toString('utf8')));
}

/** The newest models; keys sort by time, as versions do. The `snapshot` of a model is null if its snapshot was removed. */
async function readModels(store: ObjectStore): Promise<readonly ModelRecord[]> {
  const keys = (await store.list(serving, lake.prefixes.models)).toSorted().toReversed().slice(0, listed);
  const [objects, kept] = await Promise.all([
    Promise.all(keys.map((key) => store.get(serving, key))),
    store.list(serving, lake.prefixes.snapshots),
  ]);
  const records = objects.flatMap((object) =>
    object ? [modelRecord.parse(JSON.parse(object.body.toString('utf8')))] : [],
  );
  const isKept = new Set(kept);
  return records.map((record) =>
    record.snapshot && !isKept.has(record.snapshot.manifestKey) ? { ...record, snapshot: null } : record,
  );
}

async function rollBack(client: Client, taskQueue: string, modelVersion: string): Promise<RollbackResult> {
  const startWorkflowOperation = new WithStartWorkflowOperation(workflowTypes.rollbackModel, {
    taskQueue,
    workflowId: rollbackId,
    workflowIdConflictPolicy: 'USE_EXISTING',
    staticSummary: `back to ${modelVersion}, asked for by POST /pipeline/rollback`,
    args: [],
  });
  try {
    return await client.workflow.executeUpdateWithStart<Workflow, RollbackResult, [{ modelVersion: string }]>(
      rollBackUpdateName,
      { startWorkflowOperation, args: [{ modelVersion }] },
    );
  } catch (error) {
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    throw refusal(error);
  }
}

/** The failure of our catalogue at the bottom of a failed update. */
function refusal(error: WorkflowUpdateFailedError): Error {
  for (let cause: unknown = error.cause; cause instanceof Error; cause = cause.cause) {
    if (!(cause instanceof ApplicationFailure)) continue;
    if (cause.type === 'ModelUnknown') return new ModelNotPublished(cause.message, { cause: error });
    return new RollbackRefused(cause.message, { cause: error });
  }
  return error;
}
