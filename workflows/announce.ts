import { isCancellation, log, proxyActivities } from '@temporalio/workflow';
import type { Announcement, AnnouncementActivities } from '../contracts/activities.ts';
import { announcement } from './activity-options.ts';

const activities = proxyActivities<AnnouncementActivities>(announcement);

/** Tells whoever watches. A run goes on when nobody can be told: what it did is in its own history and result. */
export async function announce(message: Announcement): Promise<void> {
  try {
    await activities.announce(message);
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn('could not announce', { stage: message.stage, error: String(error) });
  }
}
