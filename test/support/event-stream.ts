import assert from 'node:assert/strict';
import { until } from './wait.ts';

/** One event as a client of the stream gets it. */
export interface ReceivedEvent {
  readonly id: string;
  readonly type: string;
  readonly data: string;
}

/** Opens an event stream by hand, as the standard says a client reads it. */
export async function openStream(
  url: string,
  headers: Record<string, string> = {},
): Promise<{
  text(): string;
  events(): readonly ReceivedEvent[];
  /** What a browser would send back as Last-Event-ID. */
  lastId(): string;
  /** When each event came (performance.now()), by the event_id in it. */
  arrivals(): ReadonlyMap<string, number>;
  close(): void;
}> {
  const closing = new AbortController();
  const response = await fetch(url, { headers, signal: closing.signal });
  assert.match(response.headers.get('content-type')!, /^text\/event-stream/);
  let text = '';
  const arrivals = new Map<string, number>();
  void (async () => {
    for await (const chunk of response.body!) {
      const from = Math.max(0, text.lastIndexOf('\n\n'));
      text += Buffer.from(chunk).toString();
      for (const [, id] of text.slice(from).matchAll(/"event_id":"([^"]+)"/g)) {
        if (!arrivals.has(id!)) arrivals.set(id!, performance.now());
      }
    }
  })().catch(() => undefined);
  await until('the stream is open', () => text.includes('retry:'));
  return {
    text: () => text,
    events: () => blocksOf(text).flatMap(toEvent),
    lastId: () => blocksOf(text).reduce((last, block) => field(block, 'id') ?? last, ''),
    arrivals: () => arrivals,
    close: () => closing.abort(),
  };
}

/** Whole blocks alone: what has no blank line behind it has not arrived yet. */
function blocksOf(text: string): string[] {
  return text.split('\n\n').slice(0, -1);
}

function toEvent(block: string): ReceivedEvent[] {
  const data = field(block, 'data');
  return data === undefined ? [] : [{ id: field(block, 'id') ?? '', type: field(block, 'event') ?? 'message', data }];
}

function field(block: string, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
}
