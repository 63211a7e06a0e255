import { proxyActivities } from '@temporalio/workflow';

const { noOp } = proxyActivities<{ noOp: () => Promise<void> }>({ startToCloseTimeout: '1 minute' });

/** Runs activities that do nothing, one after another: what is left is what orchestration costs. */
export async function noOpSteps(steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) await noOp();
}
