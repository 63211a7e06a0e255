export { createAnnouncementActivities, type AnnouncementDeps } from './announcements.ts';
export { createLandingActivities, type LandingDeps } from './landing-files.ts';
export { createLoadLedgerActivities, type LoadLedgerDeps } from './load-ledger.ts';
export { createPublicationActivities, type PublicationDeps } from './publication.ts';
export { createSparkActivities, type RecommenderSettings, type SparkDeps } from './spark-jobs.ts';
export type { SparkProcessOptions, SparkTarget } from './spark-process.ts';
export { createWriteLockActivities } from './write-locks.ts';
export { createWeeklyActivities, type WeeklyDeps } from './weekly-files.ts';
