/**
 * The stable `type` of every failure a workflow can end with. Users match on these; docs/errors.md explains each, and a
 * test checks that the two agree. `retryable` is false only where no retry could ever help.
 */
export const failures = {
  LandingFileMissing: { retryable: false, means: 'a required landing file is not in the data directory' },
  LandingFileEmpty: { retryable: false, means: 'a landing file has no header, or a header and no row' },
  LandingFileHeader: { retryable: false, means: 'a landing file has an unknown, missing or swapped column' },
  LandingFileEncoding: { retryable: false, means: 'a landing file is not UTF-8' },
  LandingFileChanged: { retryable: false, means: 'a landing file changed between its check and its upload' },
  LandingFileLine: { retryable: false, means: 'a line of a weekly file is too long to be a row' },
  TooManyRefusedRows: { retryable: false, means: 'more rows of a weekly file are bad than may be without a person' },
  UploadIncomplete: { retryable: true, means: 'an object in the landing bucket is not the file that was sent' },
  InputInvalid: { retryable: false, means: 'a workflow was started with an input it cannot use' },
  SparkJobFailed: { retryable: true, means: 'a Spark job ended with an error that a retry may heal' },
  SparkBadParameters: { retryable: false, means: 'a Spark job was called with parameters it does not take' },
  SparkBrokenContract: { retryable: false, means: 'the data a Spark job read breaks the contract of its table' },
  TableCheckFailed: { retryable: false, means: 'a table that a refresh made does not pass a hard check' },
  SparkResultInvalid: { retryable: false, means: 'the result document of a Spark job does not fit its schema' },
  StreamFailed: { retryable: true, means: 'the streaming driver ended; it is started again with growing pauses' },
  StreamStopped: { retryable: true, means: 'the worker that held the streaming driver was told to stop' },
  LakeStoreUnsafe: { retryable: false, means: 'the store of the lake has no conditional writes' },
  RetentionTooShort: { retryable: false, means: 'a vacuum would remove what somebody was promised to find' },
  ReconciliationFailed: { retryable: false, means: 'rows in a file are not the rows in bronze plus quarantine' },
  SnapshotInvalid: { retryable: false, means: 'a serving snapshot does not match its manifest' },
  ModelUnknown: { retryable: false, means: 'a rollback names a model that was never published' },
  RefreshStopped: { retryable: false, means: 'somebody ended the refresh of another run by hand' },
  PublicationConflict: { retryable: true, means: 'another publication moved the pointer at the same moment' },
} as const satisfies Record<string, { readonly retryable: boolean; readonly means: string }>;

/** The stable type of a failure. */
export type FailureType = keyof typeof failures;

/** The types that Temporal must not retry. */
export const nonRetryableFailureTypes: readonly FailureType[] = (Object.keys(failures) as FailureType[]).filter(
  (type) => !failures[type].retryable,
);
