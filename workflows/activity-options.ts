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
 * Reading or sending whole files: may take long, tells that it lives. A cancelled run waits until the transfer has really stopped,
 * so that its write lock is not let go while a file is still being sent.
 */
export const fileTransfer: ActivityOptions = {
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  startToCloseTimeout: '2 hours',
  heartbeatTimeout: '20 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '1 minute', nonRetryableErrorTypes },
};

/**
 * Spark jobs: long, heartbeating, and given up after a few tries because each costs a cluster's time. A cancelled run waits
 * until Spark has really stopped, so that its write lock is not let go while a job still writes.
 */
export const sparkJob: ActivityOptions = {
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  startToCloseTimeout: '12 hours',
  heartbeatTimeout: '20 seconds',
  retry: { initialInterval: '5 seconds', maximumInterval: '2 minutes', maximumAttempts: 5, nonRetryableErrorTypes },
};

/** Telling who watches: worth a few tries, never worth failing a run. */
export const announcement: ActivityOptions = {
  startToCloseTimeout: '5 seconds',
  retry: { maximumAttempts: 2 },
};

/** Waiting for another run: as long as that one takes, and anew after a worker's restart. */
export const waiting: ActivityOptions = {
  startToCloseTimeout: '30 days',
  heartbeatTimeout: '20 seconds',
  retry: { initialInterval: '1 second', maximumInterval: '10 seconds', nonRetryableErrorTypes },
};

/**
 * Holding what never ends: each call lasts about an hour; a failure is tried again for ever, with growing pauses. A cancelled
 * run waits until the driver has stopped.
 */
export const alwaysOn: ActivityOptions = {
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  startToCloseTimeout: '3 hours',
  heartbeatTimeout: '15 seconds',
  retry: { initialInterval: '2 seconds', maximumInterval: '1 minute', nonRetryableErrorTypes },
};
