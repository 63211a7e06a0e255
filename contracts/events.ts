import eventsJson from './events.json' with { type: 'json' };

/** How a field of an event is written in JSON; a timestamp is ISO 8601 with an offset. */
export type EventFieldType = 'string' | 'int' | 'timestamp' | 'array<string>' | 'map';

/** A field of an event. A field that is not required may be absent or null. */
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

/** A kind of event: its topic, its key, its fields, and its name on GET /events/stream. */
export interface EventDefinition {
  readonly name: 'listeningEvent' | 'recommendationEvent' | 'pipelineEvent' | 'feedbackEvent';
  readonly topic: string;
  readonly streamType: string | null;
  /**
   * Grows only with a change that breaks older readers. A new optional field keeps the version: readers ignore unknown
   * fields.
   */
  readonly schemaVersion: number;
  /** The fields of the record's key: the value of a single field, or a JSON array of several fields. */
  readonly keyedBy: readonly string[];
  readonly fields: readonly EventField[];
}

/** Every event on Kafka, the same document that the Spark side reads; a test holds the zod schemas to it. */
export const events = eventsJson.events as readonly EventDefinition[];

/** The key of a feedback record: compaction keeps the newest for each user and track. */
export function feedbackKey(userId: string, trackId: string): string {
  return JSON.stringify([userId, trackId]);
}
