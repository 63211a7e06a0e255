/** Every workflow type the worker serves; the name here is the name on the command line. */
export { initialDataLoad } from './initial-data-load.ts';
export { refreshRecommendations } from './refresh-recommendations.ts';
export { streamEvents } from './stream-events.ts';
export { holdWriteLock } from './write-lock.ts';
