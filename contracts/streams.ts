/** Input of `streamEvents`; every field may be left out. */
export interface StreamEventsInput {
  /**
   * Where a topic without a checkpoint begins: after the last record its table holds (`table`, unless told otherwise), or
   * with the first record Kafka has (`earliest`: only for a table that is empty, or after Kafka lost its data).
   */
  readonly startFrom?: 'table' | 'earliest';
}

/** The position of a topic's stream, from the last report of its driver. */
export interface TopicProgress {
  readonly topic: string;
  /** `waiting`: it failed and is started again after a pause; `error` says why. */
  readonly state: 'starting' | 'running' | 'waiting';
  /** The last micro-batch, or -1 before the first batch of this driver. */
  readonly batchId: number;
  /** By partition: the offset after the last record of that batch. */
  readonly offsets: Readonly<Record<string, number>>;
  /** Records that Kafka had after that batch. */
  readonly lag: number;
  readonly batchRows: number;
  readonly batchMs: number;
  /** Since the driver started: rows that went into bronze, and records that went to the dead letter topic. */
  readonly rows: number;
  readonly refused: number;
  /** Kafka's id of the topic; null before Kafka was asked. */
  readonly topicId: string | null;
  /** How often the topic was found deleted and made again: each time it is read from its first record with a new checkpoint. */
  readonly madeAnew: number;
  readonly error: string | null;
}

/** The answer of `streamEvents` to the query `progress`. */
export interface StreamProgress {
  readonly stage: string;
  readonly topics: readonly TopicProgress[];
}

/** Name of the signal by which the activity tells the run of its progress. */
export const streamProgressSignalName = 'reportStreamProgress';

/** Keeping the streaming driver running. */
export interface StreamActivities {
  /**
   * Starts the streaming driver, or joins the running driver of this worker, and watches it. Sends heartbeats and
   * reports the position of every topic to the run. Returns after about an hour and leaves the driver running for the
   * next call. Fails with StreamFailed if the driver ends, and with StreamStopped if the worker stops; a retry of both
   * continues from the checkpoint. A cancellation stops the driver.
   */
  superviseStreams(input: StreamEventsInput): Promise<void>;
}
