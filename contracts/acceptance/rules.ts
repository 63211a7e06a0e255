import rulesJson from './rules.json' with { type: 'json' };

/** The limits of an acceptable listen, the same document that the Spark side reads. */
export const rules = rulesJson;

/** The event types there are. */
export const eventTypes = ['complete_listen', 'like', 'skip'] as const;
export type EventType = (typeof eventTypes)[number];
