import { Problem } from '../problems.ts';

/** An answer of Temporal's; a Problem with Retry-After where there is none. */
export async function orTemporalAway<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (cause) {
    throw new Problem('temporal_away', { headers: { 'Retry-After': '5' }, cause });
  }
}
