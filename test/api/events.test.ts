import assert from 'node:assert/strict';
import type { CatchUp } from '../../api/events/catch-up.ts';
import { CannotCatchUp } from '../../api/events/catch-up.ts';
import { EventHub, toStreamEvent } from '../../api/events/hub.ts';
import { parseEventId, Position } from '../../api/events/position.ts';
import { ForgottenUsers } from '../../api/listeners/forgotten.ts';
import { ListenerView } from '../../api/listeners/view.ts';
import { forgottenKey, hashOfUser } from '../../platform/forgotten-users.ts';
import type { IncomingRecord } from '../../platform/kafka/batches.ts';
import { createLogger } from '../../platform/logger.ts';
import { ask, startApi, testToken, type ApiWorld } from '../support/api-world.ts';
import { openStream } from '../support/event-stream.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { until } from '../support/wait.ts';

const listens = 'user_listening_history';

/** A stretch of one partition, as the feed hands it over. */
function stretch(...records: IncomingRecord[]) {
  const { topic, partition } = records[0]!;
  return { topic, partition, records, next: records.at(-1)!.offset + 1 };
}

function record(offset: number, { topic = listens, partition = 0, key = '1' } = {}): IncomingRecord {
  return { topic, partition, offset, key, value: `{"n":${offset}}`, timestampMs: 0 };
}

/** All partitions of a small Kafka, read from `from` on; what lies before `news` is history. */
function begin(api: Pick<ApiWorld, 'hub'>, { from = 0, news }: { from?: number; news?: number } = {}): void {
  const partitions = [
    { topic: listens, partition: 0 },
    { topic: listens, partition: 1 },
    { topic: 'pipeline_events', partition: 0 },
  ];
  api.hub.begin(
    partitions.map((partition) => ({ ...partition, offset: from })),
    partitions.map((partition) => ({ ...partition, offset: news ?? from })),
  );
}

describe('GET /events/stream', () => {
  let api: ApiWorld;
  beforeEach(async () => {
    api = await startApi();
  });
  afterEach(() => api.stop());

  it('passes on what Kafka brings, with ids that say where it lies', async () => {
    begin(api);
    const stream = await openStream(`${api.url}/events/stream`);
    api.hub.accept(stretch(record(7)));
    await until('the event is there', () =>
      stream.text().includes('id: user_listening_history-0-7\nevent: listen\ndata: {"n":7}\n\n'),
    );
    stream.close();
  });

  it('writes an event that has line breaks so that it stays one event', async () => {
    begin(api);
    const stream = await openStream(`${api.url}/events/stream`);
    api.hub.accept(stretch({ ...record(0), value: 'a\nb\r\n\nevent: gap' }));
    await until('the event is there', () => stream.text().includes('data: a\ndata: b\ndata: \ndata: event: gap\n\n'));
    stream.close();
  });

  it('sends only the types that were asked for', async () => {
    begin(api);
    const stream = await openStream(`${api.url}/events/stream?types=pipeline`);
    api.hub.accept(stretch(record(1)));
    api.hub.accept(stretch(record(2, { topic: 'pipeline_events' })));
    await until('the pipeline event is there', () => stream.text().includes('event: pipeline'));
    assert.ok(!stream.text().includes('event: listen'));
    stream.close();
    assert.equal((await ask(api, '/events/stream?types=weather')).status, 400);
  });

  it('sends only the events of the user that was asked for', async () => {
    begin(api);
    const stream = await openStream(`${api.url}/events/stream?user=anna`);
    api.hub.accept(stretch(record(1), record(2, { key: 'anna' })));
    api.hub.accept(stretch(record(0, { topic: 'pipeline_events', key: 'anna' })));
    api.hub.accept(stretch(record(3, { key: 'anna' })));
    await until('both are there', () => stream.events().length === 2);
    assert.deepEqual(
      stream.events().map((event) => event.id),
      [`${listens}-0-2`, `${listens}-0-3`],
    );
    stream.close();
  });

  it('sends a returning client what it missed, by the position it was given or by its last event alone', async () => {
    begin(api);
    const first = await openStream(`${api.url}/events/stream`);
    api.hub.accept(stretch(record(1), record(2)));
    api.hub.accept(stretch(record(9, { partition: 1 })));
    await until('all are there', () => first.events().length === 3);
    first.close();
    api.hub.accept(stretch(record(3)));
    api.hub.accept(stretch(record(10, { partition: 1 })));
    api.hub.flush();
    for (const lastId of [first.lastId(), `${listens}-1-9`]) {
      const stream = await openStream(`${api.url}/events/stream`, { 'last-event-id': lastId });
      await until('the missed events are there', () => stream.events().length === 2);
      assert.deepEqual(
        stream.events().map((event) => event.id),
        [`${listens}-0-3`, `${listens}-1-10`],
      );
      stream.close();
    }
  });

  it('misses nothing for a client that was told of no event before it was cut off', async () => {
    begin(api, { from: 5 });
    const first = await openStream(`${api.url}/events/stream`);
    await until('the position is there', () => first.lastId() !== '');
    first.close();
    api.hub.accept(stretch(record(5)));
    api.hub.flush();
    const stream = await openStream(`${api.url}/events/stream`, { 'last-event-id': first.lastId() });
    await until('the missed event is there', () => stream.events().length === 1);
    stream.close();
  });

  it('tells who returns of history, and newcomers only of news', async () => {
    begin(api, { from: 0, news: 3 });
    const newcomer = await openStream(`${api.url}/events/stream`);
    const returning = await openStream(`${api.url}/events/stream`, {
      'last-event-id': `@${listens}=0:1,1:0;pipeline_events=0:0`,
    });
    for (const partition of [0, 1])
      api.hub.accept(stretch(...[0, 1, 2].map((offset) => record(offset, { partition }))));
    api.hub.accept(stretch(...[0, 1, 2].map((offset) => record(offset, { topic: 'pipeline_events' }))));
    api.hub.accept(stretch(record(3)));
    await until('the returning one has all', () => returning.events().length === 2 + 3 + 3 + 1);
    await until('the newcomer has the news', () => newcomer.events().length === 1);
    assert.equal(newcomer.events()[0]!.id, `${listens}-0-3`);
    newcomer.close();
    returning.close();
  });

  it('says so when it cannot send what a client missed, and goes on', async () => {
    begin(api, { from: 100 });
    for (const lastId of [`${listens}-0-9`, `@${listens}=0:9,1:100`, 'nonsense', 'constructor-0-1']) {
      const stream = await openStream(`${api.url}/events/stream`, { 'last-event-id': lastId });
      await until('the gap is told', () => stream.text().includes('event: gap'));
      stream.close();
    }
    const stream = await openStream(`${api.url}/events/stream`, { 'last-event-id': 'nonsense' });
    await until('it watches', () => api.hub.watchers > 0);
    api.hub.accept(stretch(record(100)));
    await until('the next event is there', () => stream.events().some((event) => event.id === `${listens}-0-100`));
    stream.close();
  });

  it('says that Kafka holds less than an id says, when the client was told of more than comes', async () => {
    begin(api, { from: 100 });
    const stream = await openStream(`${api.url}/events/stream`, {
      'last-event-id': `@${listens}=0:105,1:100;pipeline_events=0:100`,
    });
    await until('the gap is told', () => stream.text().includes('event: gap'));
    assert.match(stream.text(), /Kafka holds less than that id says/);
    stream.close();
  });

  it('knows where a client stands behind a transaction’s marker, with and without a record before it', async () => {
    begin(api, { from: 0, news: 0 });
    api.hub.accept({ ...stretch(record(0)), next: 3 });
    api.hub.accept({ topic: listens, partition: 1, records: [], next: 7 });
    api.hub.flush();
    assert.deepEqual([api.hub.position.next(listens, 0), api.hub.position.next(listens, 1)], [3, 7]);
    const stream = await openStream(`${api.url}/events/stream`, {
      'last-event-id': `@${listens}=0:3,1:7;pipeline_events=0:0`,
    });
    await until('it watches', () => api.hub.watchers > 0);
    assert.ok(!stream.text().includes('event: gap'));
    stream.close();
  });

  it('is caught up at a marker, and when the topic was made anew meanwhile', async () => {
    for (const last of [{ next: 3 }, { next: 1, isRestarted: true }]) {
      const hub = new EventHub();
      hub.begin([{ topic: listens, partition: 0, offset: 0 }], [{ topic: listens, partition: 0, offset: 3 }]);
      hub.accept({ topic: listens, partition: 0, records: [record(0)], ...last });
      await hub.caughtUp;
    }
  });

  it('begins anew with a topic that was made anew, and remembers nothing of the old one', async () => {
    begin(api, { from: 5 });
    api.hub.accept(stretch(record(5), record(6)));
    api.hub.accept(stretch(record(9, { partition: 1 })));
    const stream = await openStream(`${api.url}/events/stream`, { 'last-event-id': `${listens}-1-9` });
    await until('it watches', () => api.hub.watchers > 0);
    api.hub.accept({ ...stretch(record(0), record(1)), isRestarted: true });
    await until('the new ones are there', () => stream.events().length === 2);
    assert.deepEqual(
      api.hub.since(new Position())?.map(({ partition, offset }) => [partition, offset]),
      [
        [1, 9],
        [0, 0],
        [0, 1],
      ],
    );
    stream.close();
    const beyond = await openStream(`${api.url}/events/stream`, {
      'last-event-id': `@${listens}=0:7,1:10;pipeline_events=0:5`,
    });
    await until('the gap is told', () => beyond.text().includes('event: gap'));
    beyond.close();
  });

  it('passes on no record that is larger than any of ours', async () => {
    begin(api);
    const stream = await openStream(`${api.url}/events/stream`);
    api.hub.accept(stretch({ ...record(0), value: 'x'.repeat(1024 * 1024 + 1) }, record(1)));
    await until('the next one is there', () => stream.events().length === 1);
    assert.equal(stream.events()[0]!.id, `${listens}-0-1`);
    stream.close();
  });

  it('forgets clients that leave', async () => {
    const stream = await openStream(`${api.url}/events/stream`);
    await until('it is watched', () => api.hub.watchers === 1);
    stream.close();
    await until('the client is forgotten', () => api.hub.watchers === 0);
  });

  it('takes only so many streams from one address, and others again when some are closed', async () => {
    const streams = await Promise.all(Array.from({ length: 10 }, () => openStream(`${api.url}/events/stream`)));
    const { status, body } = await ask(api, '/events/stream');
    assert.deepEqual([status, body['code']], [429, 'too_many_streams']);
    streams[0]!.close();
    await until('one has gone', () => api.hub.watchers === 9);
    const again = await openStream(`${api.url}/events/stream`);
    for (const stream of [...streams, again]) stream.close();
  });
});

describe('GET /events/stream, of what this process does not remember', () => {
  /** A Kafka that holds listens 0 to 9 of partition 0. */
  const catchUp: CatchUp = {
    positionAfter: async ({ topic, partition, offset }) => {
      if (offset > 9) throw new CannotCatchUp('Kafka does not hold that event (any more)');
      const position = new Position();
      position.set(topic, partition, offset + 1);
      return position;
    },
    read: async (from, to, take) => {
      const start = from.next(listens, 0)!;
      const end = to.next(listens, 0)!;
      for (let offset = start; offset < end; offset++) await take([toStreamEvent(record(offset))!]);
      return 0;
    },
  };

  it('reads it again from Kafka, and joins it to what it remembers without a gap', async () => {
    const api = await startApi({ catchUp });
    begin(api, { from: 6 });
    api.hub.accept(stretch(record(6), record(7)));
    api.hub.flush();
    const stream = await openStream(`${api.url}/events/stream`, { 'last-event-id': `${listens}-0-2` });
    await until('what was missed is there', () => stream.events().length === 5);
    api.hub.accept(stretch(record(8)));
    await until('the next one is there', () => stream.events().length === 6);
    assert.deepEqual(
      stream.events().map((event) => event.id),
      [3, 4, 5, 6, 7, 8].map((offset) => `${listens}-0-${offset}`),
    );
    stream.close();
    await api.stop();
  });
});

describe('GET /events/stream, of a forgotten user', () => {
  const start = `@${listens}=0:0,1:0;pipeline_events=0:0`;

  function idsOf(stream: { events(): readonly { readonly id: string }[] }): string[] {
    return stream.events().map(({ id }) => id);
  }

  it('tells nothing from memory that came before, and passes on nothing that comes after', async () => {
    const store = createMemoryStore();
    const forgotten = new ForgottenUsers({ store, logger: createLogger({ name: 'test', level: 'silent' }) });
    const hub = new EventHub(forgotten.has);
    const api = await startApi({ hub });
    begin({ hub });
    hub.accept(stretch(record(0, { key: '42' }), record(1)));
    hub.accept(stretch(record(0, { topic: 'pipeline_events', key: '42' })));
    hub.flush();
    await store.put('data', forgottenKey(hashOfUser('42')), '{}');
    await forgotten.look(new ListenerView(() => new Date()), hub);
    const watching = await openStream(`${api.url}/events/stream`);
    await until('it watches', () => hub.watchers === 1);
    hub.accept(stretch(record(2), record(3, { key: '42' })));
    hub.flush();
    await until('what comes after is there', () => watching.events().length > 0);
    const returning = await openStream(`${api.url}/events/stream`, { 'last-event-id': start });
    await until('it watches too', () => hub.watchers === 2);
    hub.accept(stretch(record(4)));
    await until('the last is there', () => idsOf(returning).includes(`${listens}-0-4`));
    assert.deepEqual(idsOf(returning), [
      `${listens}-0-1`,
      'pipeline_events-0-0',
      ...[2, 4].map((offset) => `${listens}-0-${offset}`),
    ]);
    await until('the last is there too', () => idsOf(watching).includes(`${listens}-0-4`));
    assert.deepEqual(idsOf(watching), [`${listens}-0-2`, `${listens}-0-4`]);
    // What was dropped has been read: another process may have told a client of it.
    assert.equal(hub.position.next(listens, 0), 5);
    for (const stream of [watching, returning]) stream.close();
    await api.stop();
  });

  it('does not remember what it reads again at a start', () => {
    const hub = new EventHub((user) => user === '42');
    begin({ hub }, { news: 2 });
    hub.accept(stretch(record(0, { key: '42' }), record(1)));
    const from = parseEventId(start) as Position;
    assert.deepEqual(
      hub.since(from)?.map(({ offset }) => offset),
      [1],
    );
    assert.equal(hub.position.next(listens, 0), 2);
  });

  it('tells nothing from memory once this process was asked to forget', async () => {
    const api = await startApi();
    begin(api);
    api.hub.accept(stretch(record(0, { key: '42' }), record(1)));
    api.hub.flush();
    assert.equal((await ask(api, '/users/42', { method: 'DELETE', token: testToken })).status, 202);
    assert.deepEqual(
      api.hub.since(parseEventId(start) as Position)?.map(({ offset }) => offset),
      [1],
    );
    await api.stop();
  });
});

describe('an id of the event stream', () => {
  it('is read as it was written', () => {
    const position = new Position();
    position.set(listens, 0, 12);
    position.set(listens, 1, 0);
    position.set('pipeline_events', 0, 3);
    assert.equal(position.toString(), `@${listens}=0:12,1:0;pipeline_events=0:3`);
    assert.deepEqual((parseEventId(position.toString()) as Position).entries(), position.entries());
    assert.deepEqual(parseEventId(`${listens}-3-17`), { topic: listens, partition: 3, offset: 17 });
  });

  it('is refused when it is something else', () => {
    for (const id of [
      '',
      '@',
      '@x=0:1',
      `@${listens}=0`,
      `${listens}-0`,
      'user_feedback-0-1',
      '__proto__-0-1',
      `${listens}-0-1\n`,
    ]) {
      assert.equal(parseEventId(id), undefined, id);
    }
  });
});
