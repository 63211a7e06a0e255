import topicsJson from './topics.json' with { type: 'json' };

/** A Kafka topic of the product. The stack, or the operator of a cluster, creates it before the start. */
export interface Topic {
  readonly name: string;
  readonly partitions: number;
  /** How long Kafka keeps a record, in milliseconds; without effect on a compacted topic. */
  readonly retentionMs: number;
  /** `compact` keeps the newest record of each key for ever; without it records go after `retentionMs`. */
  readonly cleanupPolicy?: string;
  /**
   * The codec in which the broker stores batches, regardless of the producer's codec. All of our readers must know it.
   */
  readonly compressionType: string;
  /** `LogAppendTime`: a record's time is the broker's, so that retention never goes by a time that a producer made up. */
  readonly timestampType: string;
  readonly holds: string;
  /** The bronze table that `streamEvents` fills from the topic, if there is a table. */
  readonly bronzeTable?: string;
}

/** Every topic has these settings, which guard it from other producers (docs/adr/0019). */
const guards = { compressionType: 'gzip', timestampType: 'LogAppendTime' };

/** Every topic; the Spark side reads the same document. */
export const topics: readonly Topic[] = topicsJson.map((topic) => ({ ...guards, ...topic }));

/** The topics by content. */
export const topicNames = {
  listens: 'user_listening_history',
  recommendations: 'music_recommendations',
  pipeline: 'pipeline_events',
  feedback: 'user_feedback',
} as const;

/** The topic for records of `topic` that no table could take. */
export function deadLetterTopic(topic: string): string {
  return `${topic}.dlq`;
}
