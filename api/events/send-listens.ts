import type { ListeningEvent } from '../../contracts/schemas/events.ts';
import { topicNames } from '../../contracts/topics.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problems.ts';

const kafkaTimeoutMs = 5_000;

/** Resolves once Kafka has all of these listens, and the listeners' view too; throws a Problem where that is not known. */
export async function sendListens(deps: ApiDeps, events: readonly ListeningEvent[]): Promise<void> {
  if (events.length === 0) return;
  const records = events.map((event) => ({ key: event.user_id, value: event }));
  try {
    await deps.producer.send(topicNames.listens, records, kafkaTimeoutMs);
  } catch (cause) {
    throw new Problem('kafka_away', {
      detail:
        'Not all events are known to be in Kafka. Send them again with the same event_id: a repeated one is harmless',
      headers: { 'Retry-After': '5' },
      cause,
    });
  }
  // Every process learns of the listens from Kafka in a moment. This process need not wait for that.
  for (const event of events) deps.view.takeListen(event);
  deps.metrics.listensAccepted.inc(events.length);
}
