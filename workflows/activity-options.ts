import { ActivityCancellationType, type ActivityOptions } from '@temporalio/workflow';
import { nonRetryableFailureTypes } from '../contracts/failures.ts';

const nonRetryableErrorTypes = [...nonRetryableFailureTypes];

/** Small reads and writes: seconds each, retried until the service is back. */
export const quick: ActivityOptions = {
  startToCloseTimeout: '1 minute',
  retry: { initialInterval: '1 second', maximumInterval: '30 seconds', nonRetryableErrorTypes },
};

/** Looking at folders while files settle: at most half a minute, and tells that it lives. */
export const watching: ActivityOptions = { ...quick, startToCloseTimeout: '2 minutes', heartbeatTimeout: '20 seconds' };

/**
 * Reads or uploads of whole files. They may take long and send heartbeats. A cancelled run waits until the transfer
 * has stopped, so that the run does not release its write lock during an upload.
 */
export const fileTransfer: ActivityOptions = {
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: '20 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute', nonRetryableErrorTypes },
};

/**
 * Spark jobs. They take long and send heartbeats. Temporal gives up after a few attempts, because each attempt costs
 * time on the cluster. A cancelled run waits until Spark has stopped, so that the run does not release its write lock
 * while a job still writes.
 */
export const sparkJob: ActivityOptions = {
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  startToCloseTimeout: '12 hours',
  heartbeatTimeout: '20 seconds',
  retry: { initialInterval: '5 seconds', maximumInterval: '2 minutes', maximumAttempts: 5, nonRetryableErrorTypes },
};

/** Announcements to the live event stream: Temporal retries them a few times, and their failure never fails a run. */
export const announcement: ActivityOptions = {
  startToCloseTimeout: '5 seconds',
  retry: { maximumAttempts: 2 },
};

/** Waiting for another run: for as long as that run takes. The wait starts again after a restart of the worker. */
export const waiting: ActivityOptions = {
  startToCloseTimeout: '30 days',
  heartbeatTimeout: '20 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '10 seconds', nonRetryableErrorTypes },
};

/**
 * The streaming driver. Each call lasts about an hour. Temporal retries a failed call without limit, with growing
 * pauses. A cancelled run waits until the driver has stopped.
 */
export const alwaysOn: ActivityOptions = {
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  startToCloseTimeout: '3 hours',
  heartbeatTimeout: '15 seconds',
  retry: { initialInterval: '2 seconds', maximumInterval: '1 minute', nonRetryableErrorTypes },
};
