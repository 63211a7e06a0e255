/** Every workflow type the worker serves; the name here is the name on the command line. */
export { forgetUser } from './forget-user.ts';
export { initialDataLoad } from './initial-data-load.ts';
export { measureOutcomes } from './measure-outcomes.ts';
export { refreshRecommendations } from './refresh-recommendations.ts';
export { streamEvents } from './stream-events.ts';
export { maintainLakehouse } from './maintain-lakehouse.ts';
export { reviewWeeklyFile } from './review-weekly-file.ts';
export { weeklyTrendsIngestion } from './weekly-trends-ingestion.ts';
export { rollbackModel } from './rollback-model.ts';
export { holdWriteLock } from './write-lock.ts';
