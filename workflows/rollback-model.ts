import { allHandlersFinished, condition, defineUpdate, proxyActivities, setHandler } from '@temporalio/workflow';
import type { PublicationActivities } from '../contracts/activities.ts';
import { rollBackUpdateName } from '../contracts/ids.ts';
import type { RollbackInput, RollbackResult } from '../contracts/runs.ts';
import { quick } from './activity-options.ts';
import { announce } from './announce.ts';
import { checkInput } from './input.ts';
import { trackProgress } from './progress.ts';

const { rollBack } = proxyActivities<PublicationActivities>(quick);
const longestWait = '1 minute';

/** Serves a published model again, at once. The answer names the model that was served before. */
export const rollBackUpdate = defineUpdate<RollbackResult, [{ readonly modelVersion: string }]>(rollBackUpdateName);

/**
 * Serves a model that was published before. The input names the model, or the update does (`temporal workflow
 * execute-update-with-start`). A run without a model ends after a minute.
 */
export async function rollbackModel(input: RollbackInput = {}): Promise<RollbackResult | undefined> {
  checkInput('rollbackModel', input);
  const { modelVersion } = input;
  const progress = trackProgress();
  let result: RollbackResult | undefined;
  let isAsked = false;
  const goBack = async (to: string): Promise<RollbackResult> => {
    isAsked = true;
    progress.enter(`going back to ${to}`);
    result = await rollBack({ modelVersion: to });
    await announce({ stage: 'rolled back', details: { ...result } });
    return result;
  };
  setHandler(rollBackUpdate, (update) => goBack(update.modelVersion), {
    validator: (update) => {
      if (!update?.modelVersion) throw new Error('rollBack takes {"modelVersion": "…"}');
    },
  });
  if (modelVersion !== undefined) await goBack(modelVersion);
  else await condition(() => isAsked, longestWait);
  await condition(allHandlersFinished);
  progress.enter('done');
  return result;
}
