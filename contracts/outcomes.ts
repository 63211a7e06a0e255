/** Input of `measureOutcomes`; every field may be left out. */
export interface MeasureOutcomesInput {
  /** An event counts for an answer at most this many hours before it; 24 unless told otherwise. */
  readonly windowHours?: number;
}

/** Summary of `measureOutcomes`. */
export interface MeasureOutcomesResult {
  readonly impressions: number;
  readonly clicked: number;
  readonly skipped: number;
}

/** The outcomes of the shown tracks. */
export interface OutcomeActivities {
  /**
   * Builds gold/recommendation_outcomes from the streamed tables and writes serving/outcomes.json for the API. The job
   * writes the whole table in a single commit with the run key as transaction id, so a repeat changes nothing.
   */
  buildOutcomes(input: { readonly runKey: string; readonly windowHours: number }): Promise<MeasureOutcomesResult>;
}
