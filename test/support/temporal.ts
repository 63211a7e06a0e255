import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { WorkflowHandle } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  Worker,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import type { Activities } from '../../contracts/activities.ts';
import { weekSearchAttribute } from '../../contracts/ids.ts';
import { installed } from './installed.ts';

/** A real Temporal server of this test run, with the workflows bundled once. */
export interface TemporalFixture {
  readonly env: TestWorkflowEnvironment;
  readonly bundle: WorkflowBundleWithSourceMap;
}

/** The workflows, bundled as the worker bundles them. */
export function bundleWorkflows(): Promise<WorkflowBundleWithSourceMap> {
  const workflowsPath = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url));
  return bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
}

/** Starts `temporal server start-dev` from the installed binary, in memory, on a free port. */
export async function startTemporal(): Promise<TemporalFixture> {
  const { temporal } = await installed();
  quietRuntime();
  const [env, bundle] = await Promise.all([
    TestWorkflowEnvironment.createLocal({
      server: {
        executable: { type: 'existing-path', path: temporal },
        log: { format: 'json', level: 'error' },
        searchAttributes: [defineSearchAttributeKey(weekSearchAttribute, 'KEYWORD')],
      },
    }),
    bundleWorkflows(),
  ]);
  return { env, bundle };
}

/** The SDK's own log would bury the tests' titles; only errors are worth reading there. */
export function quietRuntime(): void {
  if (Runtime._instance) return;
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
  });
}

/** One world: a worker with these activities on a task queue of its own, and unique ids. */
export interface World {
  readonly taskQueue: string;
  start(type: string, options?: { readonly workflowId?: string; readonly input?: unknown }): Promise<WorkflowHandle>;
}

/** Runs `story` beside a worker that serves the real workflows and the given activities. */
export async function withWorker<Result>(
  fixture: TemporalFixture,
  activities: Partial<Activities>,
  story: (world: World) => Promise<Result>,
): Promise<Result> {
  const taskQueue = `test-${randomUUID()}`;
  const worker = await Worker.create({
    connection: fixture.env.nativeConnection,
    workflowBundle: fixture.bundle,
    taskQueue,
    activities: { ...activities },
  });
  const world: World = {
    taskQueue,
    start: (type, { workflowId = `test-${randomUUID()}`, input } = {}) =>
      fixture.env.client.workflow.start(type, { taskQueue, workflowId, args: input === undefined ? [] : [input] }),
  };
  return worker.runUntil(() => story(world));
}
