import { events } from '../../contracts/events.ts';
import { topicNames } from '../../contracts/topics.ts';
import { readRanges } from './ranges.ts';
import { readBounds } from './offsets.ts';
import type { KafkaOptions } from './client.ts';

const longestReadMs = 45_000;
const user = events.find(({ topic }) => topic === topicNames.feedback)!.keyedBy.indexOf('user_id');

/**
 * The keys of this user in the compacted topic of feedback. The function reads the whole topic, because the newest
 * feedback is not in a table yet.
 */
export async function feedbackKeysOf(options: KafkaOptions, userId: string): Promise<readonly string[]> {
  const bounds = await readBounds(options, [topicNames.feedback]);
  const ranges = bounds.map(({ topic, partition, low, high }) => ({ topic, partition, offset: low, end: high }));
  const newest = new Map<string, string | null>();
  await readRanges(
    options,
    ranges,
    ({ topic, partition, records, unreadable }) => {
      if (unreadable.length > 0) {
        const { first, last, reason } = unreadable[0]!;
        throw new UnreadableFeedback(
          `${topic}, partition ${partition}, offsets ${first} to ${last}: a batch in ${reason} cannot be read here, and may hold ` +
            'something of the user; see docs/runbooks/streams.md, "A batch that the API cannot read"',
        );
      }
      for (const { key, value } of records) if (key !== null && userOf(key) === userId) newest.set(key, value);
    },
    longestReadMs,
  );
  return [...newest].flatMap(([key, value]) => (value === null ? [] : [key]));
}

/** Undefined for a key that nothing of ours has written. */
function userOf(key: string): unknown {
  try {
    const parts: unknown = JSON.parse(key);
    return Array.isArray(parts) ? parts[user] : undefined;
  } catch {
    return undefined;
  }
}

/** Feedback that this process cannot read: its user is unknown. */
export class UnreadableFeedback extends Error {
  override readonly name = 'UnreadableFeedback';
}
