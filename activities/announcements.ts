import { Context } from '@temporalio/activity';
import type { AnnouncementActivities } from '../contracts/activities.ts';
import type { PipelineEvent } from '../contracts/schemas/events.ts';
import { topicNames } from '../contracts/topics.ts';
import type { EventProducer } from '../platform/kafka/producer.ts';

/**
 * The dependencies of the announcements. The first announcement makes the producer, so that a worker starts without
 * Kafka.
 */
export interface AnnouncementDeps {
  readonly producer: () => Promise<EventProducer>;
  readonly now: () => Date;
}

/** The activities that announce the stages of a run on the live event stream. */
export function createAnnouncementActivities({ producer, now }: AnnouncementDeps): AnnouncementActivities {
  return {
    announce: async ({ stage, subject, details }) => {
      const { workflowExecution, workflowType } = Context.current().info;
      if (!workflowExecution || !workflowType) throw new Error('announce runs only for a workflow');
      const { workflowId, runId } = workflowExecution;
      const event: PipelineEvent = {
        schema_version: 1,
        event_id: [runId, stage, subject].filter(Boolean).join('/'),
        workflow_id: workflowId,
        run_id: runId,
        workflow_type: workflowType,
        stage,
        details: { ...details },
        at: now().toISOString(),
      };
      await (await producer()).send(topicNames.pipeline, [{ key: workflowId, value: event }]);
    },
  };
}
