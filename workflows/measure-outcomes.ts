import { proxyActivities, workflowInfo } from '@temporalio/workflow';
import type { MeasureOutcomesInput, MeasureOutcomesResult, OutcomeActivities } from '../contracts/outcomes.ts';
import { sparkJob } from './activity-options.ts';
import { announce } from './announce.ts';
import { checkInput } from './input.ts';
import { trackProgress } from './progress.ts';
import { withWriteLocks } from './write-lock.ts';

const { buildOutcomes } = proxyActivities<OutcomeActivities>(sparkJob);

/** Which tracks that were shown were heard, skipped, loved or hidden afterwards, by tier, reason and model. */
export async function measureOutcomes(input: MeasureOutcomesInput = {}): Promise<MeasureOutcomesResult> {
  const progress = trackProgress();
  checkInput('measureOutcomes', input);
  const { runId, workflowId } = workflowInfo();
  const measured = await withWriteLocks(progress, ['gold/recommendation_outcomes'], () => {
    progress.enter('attributing listens and feedback');
    return buildOutcomes({ runKey: `${workflowId}/${runId}`, windowHours: input.windowHours ?? 24 });
  });
  await announce({ stage: 'outcomes measured', details: { ...measured } });
  progress.enter('done');
  return measured;
}
