import assert from 'node:assert/strict';
import type { IncomingRecord } from '../../platform/kafka-consumer.ts';
import { ask, startApi, type ApiWorld } from '../support/api-world.ts';
import { until } from '../support/wait.ts';

function record(offset: number, topic = 'user_listening_history'): IncomingRecord {
  return { topic, partition: 0, offset: String(offset), key: '1', value: `{"n":${offset}}`, timestampMs: 0 };
}

describe('GET /events/stream', () => {
  let api: ApiWorld;
  beforeEach(async () => {
    api = await startApi();
  });
  afterEach(() => api.stop());

  /** Opens the stream; answers what has come so far. */
  async function open(
    path: string,
    headers: Record<string, string> = {},
  ): Promise<{ text: () => string; close: () => void }> {
    const closing = new AbortController();
    const response = await fetch(`${api.url}${path}`, { headers, signal: closing.signal });
    assert.match(response.headers.get('content-type')!, /^text\/event-stream/);
    let text = '';
    void (async () => {
      for await (const chunk of response.body!) text += Buffer.from(chunk).toString();
    })().catch(() => undefined);
    await until('the stream is open', () => text.includes('retry:'));
    return { text: () => text, close: () => closing.abort() };
  }

  it('passes on what Kafka brings, with ids that say where it lies', async () => {
    const stream = await open('/events/stream');
    api.hub.accept(record(7));
    await until('the event is there', () =>
      stream.text().includes('id: user_listening_history-0-7\nevent: listen\ndata: {"n":7}\n\n'),
    );
    stream.close();
  });

  it('sends only the types that were asked for', async () => {
    const stream = await open('/events/stream?types=pipeline');
    api.hub.accept(record(1));
    api.hub.accept(record(2, 'pipeline_events'));
    await until('the pipeline event is there', () => stream.text().includes('event: pipeline'));
    assert.ok(!stream.text().includes('event: listen'));
    stream.close();
    assert.equal((await ask(api, '/events/stream?types=weather')).status, 400);
  });

  it('sends a returning client what it missed', async () => {
    for (const offset of [1, 2, 3]) api.hub.accept(record(offset));
    const stream = await open('/events/stream', { 'last-event-id': 'user_listening_history-0-1' });
    await until('the missed events are there', () => stream.text().includes('-0-3\n'));
    assert.ok(stream.text().includes('-0-2\n') && !stream.text().includes('-0-1\n'));
    stream.close();
  });

  it('says so when it does not remember what a client missed', async () => {
    const stream = await open('/events/stream', { 'last-event-id': 'user_listening_history-0-99' });
    await until('the gap is told', () => stream.text().includes('event: gap'));
    stream.close();
  });

  it('forgets clients that leave', async () => {
    const stream = await open('/events/stream');
    assert.equal(api.hub.watchers, 1);
    stream.close();
    await until('the client is forgotten', () => api.hub.watchers === 0);
  });
});
