import assert from 'node:assert/strict';
import { EventBatcher } from '../../platform/kafka/event-batches.ts';
import { requestsOf } from '../../platform/kafka/producer.ts';

describe('the requests in which events go to Kafka', () => {
  it('are as large as Kafka takes, with all events in order, though one caller brings very much', () => {
    // With its quotes a value of 8 has 10 bytes, with the key 11: two fit into 25.
    const events = ['a', 'b', 'c', 'd', 'e'].map((letter) => ({ key: 'k', value: letter.repeat(8) }));
    assert.deepEqual(
      requestsOf(events, 25).map((request) => request.map(({ value }) => value?.[1]).join('')),
      ['ab', 'cd', 'e'],
    );
  });

  it('hold an event alone that is larger, and tell the end of a key as such', () => {
    const requests = requestsOf(
      [
        { key: 'k', value: 'x'.repeat(100) },
        { key: 'k', value: null },
      ],
      25,
    );
    assert.deepEqual(
      requests.map((request) => request.map(({ value }) => value?.length ?? null)),
      [[102], [null]],
    );
    assert.deepEqual(requestsOf([]), []);
  });

  it('hold nothing of a caller who gave up before', async () => {
    const sent: string[] = [];
    const options = { lingerMs: 1, mostEvents: 4, mostWaiting: 8, stalledMs: 60_000 };
    const batcher = new EventBatcher({ ...options, send: async (topic) => void sent.push(topic) });
    const given = AbortSignal.abort(new Error('too late'));
    await assert.rejects(batcher.send('t', [{ key: 'k', value: 1 }], given), /too late/);
    await batcher.send('u', [{ key: 'k', value: 1 }]);
    assert.deepEqual(sent, ['u']);
  });
});
