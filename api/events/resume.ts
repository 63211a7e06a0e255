import type { CatchUp } from './catch-up.ts';
import { CannotCatchUp } from './catch-up.ts';
import { markOf, type EventHub, type StreamEvent } from './hub.ts';
import { parseEventId, Position } from './position.ts';
import { within } from './producer-link.ts';
import type { StreamClient } from './stream-client.ts';

const startTimeoutMs = 30_000;
const aheadTimeoutMs = 5_000;
const pieceEvents = 500;

/** The sources for the catch-up of a returning client. */
export interface ResumeDeps {
  readonly hub: EventHub;
  readonly catchUp: CatchUp;
}

/**
 * Sends a returning client the events that it missed, and then joins it to the watchers without a gap by calling
 * `join`. If the catch-up fails, the client receives an event `gap` and joins at the current position.
 */
export async function resume(
  { hub, catchUp }: ResumeDeps,
  client: StreamClient,
  lastId: string,
  join: () => void,
): Promise<void> {
  try {
    const position = await positionOf(hub, catchUp, lastId);
    await sendMissed(hub, catchUp, client, position);
  } catch (error) {
    client.say(gap(lastId, reasonOf(error)));
  }
  if (client.isGone) return;
  client.say(markOf(hub.position));
  join();
}

async function positionOf(hub: EventHub, catchUp: CatchUp, lastId: string): Promise<Position> {
  const parsed = parseEventId(lastId);
  if (!parsed) throw new CannotCatchUp('that is no id of this stream');
  await within(startTimeoutMs, hub.caughtUp);
  if (!(parsed instanceof Position)) return hub.positionAfter(parsed) ?? catchUp.positionAfter(parsed);
  await reach(hub, parsed);
  return parsed;
}

/** A different process may have sent the client records that this process receives in a moment. */
async function reach(hub: EventHub, position: Position): Promise<void> {
  const isAhead = (): boolean =>
    position.entries().some(({ topic, partition, offset }) => offset > (hub.position.next(topic, partition) ?? 0));
  const giveUpAt = performance.now() + aheadTimeoutMs;
  while (isAhead()) {
    if (performance.now() > giveUpAt)
      throw new CannotCatchUp('Kafka holds less than that id says: were its topics made anew?');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** From memory where it reaches back far enough, else from Kafka; the last piece goes out in the moment the client joins. */
async function sendMissed(hub: EventHub, catchUp: CatchUp, client: StreamClient, from: Position): Promise<void> {
  let position = from;
  while (!client.isGone) {
    const missed = hub.since(position);
    if (!missed) {
      const until = hub.position;
      const lost = await catchUp.read(position, until, (events) => tellOrStop(client, events));
      if (lost > 0)
        client.say(
          gap(position.toString(), `up to ${lost} of the events were older than Kafka keeps them, or cannot be read`),
        );
      position = until;
      continue;
    }
    if (missed.length <= pieceEvents) {
      void client.tellPast(missed);
      return;
    }
    const piece = missed.slice(0, pieceEvents);
    await client.tellPast(piece);
    position = afterEvents(position, piece);
  }
}

/** Nothing more is read for a client that has gone. */
async function tellOrStop(client: StreamClient, events: readonly StreamEvent[]): Promise<void> {
  await client.tellPast(events);
  if (client.isGone) throw new CannotCatchUp('the client has gone');
}

function afterEvents(position: Position, events: readonly StreamEvent[]): Position {
  const after = position.copy();
  for (const { topic, partition, offset } of events) after.set(topic, partition, offset + 1);
  return after;
}

function gap(lastId: string, reason: string): string {
  return `event: gap\ndata: ${JSON.stringify({ last_event_id: lastId, reason })}\n\n`;
}

function reasonOf(error: unknown): string {
  return error instanceof CannotCatchUp ? error.message : 'this process has not read Kafka yet';
}
