import eventsJson from './events.json' with { type: 'json' };

/** How a field of an event is written in JSON; a timestamp is ISO 8601 with an offset. */
export type EventFieldType = 'string' | 'int' | 'timestamp' | 'array<string>' | 'map';

/** One field of an event. One that is not required may be absent or null. */
export interface EventField {
  readonly name: string;
  readonly type: EventFieldType;
  readonly required: boolean;
  readonly allowed?: readonly string[];
  readonly maxLength?: number;
  /** Of a timestamp: an end that may lie ahead, and not when something happened. */
  readonly isEnd?: boolean;
  readonly note?: string;
}

/** One kind of event: its topic, its key, its fields, and the name under which GET /events/stream passes it on. */
export interface EventDefinition {
  readonly name: 'listeningEvent' | 'recommendationEvent' | 'pipelineEvent' | 'feedbackEvent';
  readonly topic: string;
  readonly streamType: string | null;
  /**
   * Grows only with a change that an older reader could not take. A new field that is not required keeps it: readers leave
   * out what they do not know.
   */
  readonly schemaVersion: number;
  /** Fields the record's key is made of: one as it is, several as a JSON array. */
  readonly keyedBy: readonly string[];
  readonly fields: readonly EventField[];
}

/** Every event on Kafka, the same document that the Spark side reads; a test holds the zod schemas to it. */
export const events = eventsJson.events as readonly EventDefinition[];

/** The key of a feedback record: compaction keeps the newest for each user and track. */
export function feedbackKey(userId: string, trackId: string): string {
  return JSON.stringify([userId, trackId]);
}
