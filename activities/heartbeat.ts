import { Context } from '@temporalio/activity';

const heartbeatMs = 5_000;

/** Does the work of an activity and tells every few seconds that it lives, however long the work says nothing. */
export async function whileHeartbeating<Answer>(work: () => Promise<Answer>): Promise<Answer> {
  const { heartbeat } = Context.current();
  const pulse = setInterval(() => heartbeat(), heartbeatMs);
  try {
    return await work();
  } finally {
    clearInterval(pulse);
  }
}
