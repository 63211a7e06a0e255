import { isCancellation, log, proxyActivities } from '@temporalio/workflow';
import type { Announcement, AnnouncementActivities } from '../contracts/activities.ts';
import { announcement } from './activity-options.ts';

const activities = proxyActivities<AnnouncementActivities>(announcement);

/** Announces a stage of the run on the live event stream. The run goes on if the announcement fails: its history and result have the same facts. */
export async function announce(message: Announcement): Promise<void> {
  try {
    await activities.announce(message);
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn('could not announce', { stage: message.stage, error: String(error) });
  }
}
