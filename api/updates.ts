import type { Client } from '@temporalio/client';

/** So long a worker may take to answer an update. */
export const updateTimeoutMs = 15_000;

/**
 * Ends an update that no worker answers in time. Without a deadline the SDK sends it again until a worker takes it, which may
 * be long after the client was told to ask again.
 */
export function boundUpdate<Answer>(client: Client, timeoutMs: number, update: () => Promise<Answer>): Promise<Answer> {
  return client.withDeadline(Date.now() + timeoutMs, update);
}
