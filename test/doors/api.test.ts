import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { ScrobbleError } from '../../api/listenbrainz/errors.ts';
import { readSubmission, toListeningEvent } from '../../api/listenbrainz/scrobbles.ts';
import { ListenerView } from '../../api/listeners/view.ts';
import { feedbackEvent, listeningEvent, type ListeningEvent } from '../../contracts/schemas/events.ts';
import { ask, startApi, testToken, type ApiWorld } from '../support/api-world.ts';
import { eventType, repeated, settings, text, time } from './hostile.ts';
import { earliest, instant, isBlank, isEventType, now, rangeProblem, textProblem, timeProblem } from './naive.ts';

interface Answer {
  readonly errors?: readonly { readonly field: string; readonly message: string }[];
  readonly event_ids?: readonly string[];
}

const optional = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(value, { nil: undefined, freq: 4 });
const notText = fc.constantFrom<unknown>(null, 7, true, [], {});
/** Now and then no text at all. */
const anyText = (value: fc.Arbitrary<string>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 30, arbitrary: value }, { weight: 1, arbitrary: notText });

const isId = (value: unknown): boolean => typeof value === 'string' && textProblem(value, 200) === undefined;
const isTime = (value: unknown): boolean => typeof value === 'string' && timeProblem(value) === undefined;

describe('the doors of the API', function () {
  this.timeout(120_000);
  let api: ApiWorld;
  before(async () => {
    api = await startApi({ now: () => now, view: new ListenerView(() => now) });
  });
  after(() => api.stop());

  async function post(path: string, body: unknown): Promise<{ status: number; body: Answer }> {
    api.kafka.sent.length = 0;
    return ask(api, path, { method: 'POST', token: testToken, body: JSON.stringify(body) });
  }

  it('take posted listens or name every bad field of each', async () => {
    const listen = fc.record({
      event_id: optional(anyText(text)),
      user_id: anyText(text),
      track_id: anyText(text),
      event_type: anyText(eventType),
      timestamp: optional(anyText(time)),
    });
    const badFields = (value: Readonly<Record<string, unknown>>): string[] => {
      const isGood: Readonly<Record<string, (given: unknown) => boolean>> = {
        event_id: (given) => given === undefined || isId(given),
        user_id: isId,
        track_id: isId,
        event_type: isEventType,
        timestamp: (given) => given === undefined || isTime(given),
      };
      return Object.keys(isGood).filter((field) => !isGood[field]!(value[field]));
    };
    let posted = 0;
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(repeated(listen, 4), async (listens) => {
        posted += listens.length;
        const { status, body } = await post('/ingest/listening-event', listens);
        const bad = listens.flatMap((value, index) => badFields(value).map((field) => `${index}.${field}`));
        assert.equal(status, bad.length > 0 ? 400 : 202, JSON.stringify(body));
        assert.deepEqual([...new Set((body.errors ?? []).map(({ field }) => field))].toSorted(), bad.toSorted());
        const sent = api.kafka.sent.map(({ event }) => event.value as ListeningEvent);
        assert.equal(sent.length, bad.length > 0 ? 0 : listens.length);
        for (const [index, event] of sent.entries()) {
          const { timestamp = now.toISOString() } = listens[index]! as { timestamp?: string };
          assert.equal(Date.parse(event.timestamp), instant(timestamp));
          assert.equal(event.track_id, listens[index]!.track_id);
          assert.deepEqual(listeningEvent.parse(event), event);
        }
        taken += sent.length;
      }),
      { ...settings, numRuns: 800 },
    );
    assert.ok(posted >= 1_000 && taken >= 100, `${posted} listens, ${taken} taken`);
  });

  it('take feedback whose time may lie ahead, or name every bad field', async () => {
    const said = fc.record({
      user_id: anyText(text),
      track_id: anyText(text),
      feedback: anyText(fc.constantFrom('love', 'hate', 'hide', 'adore')),
      until: fc.option(anyText(time), { nil: null }),
    });
    const isUntil = (given: unknown): boolean => {
      const ms = typeof given === 'string' ? instant(given) : undefined;
      return ms !== undefined && rangeProblem(ms) !== 'too_early' && ms < Date.UTC(10_000, 0, 1);
    };
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(said, async (value) => {
        const { status, body } = await post('/feedback', value);
        const isGood = {
          user_id: isId(value.user_id),
          track_id: isId(value.track_id),
          feedback: ['love', 'hate', 'hide'].includes(value.feedback as string),
          until: value.until === null || isUntil(value.until),
        };
        const bad = Object.entries(isGood).flatMap(([field, good]) => (good ? [] : [field]));
        assert.equal(status, bad.length > 0 ? 400 : 202);
        assert.deepEqual([...new Set((body.errors ?? []).map(({ field }) => field))].toSorted(), bad.toSorted());
        assert.equal(api.kafka.sent.length, bad.length > 0 ? 0 : 1);
        if (bad.length > 0) return;
        const event = feedbackEvent.parse(api.kafka.sent[0]!.event.value);
        const until = event.until ? Date.parse(event.until) : undefined;
        assert.equal(until, typeof value.until === 'string' ? instant(value.until) : undefined);
        taken++;
      }),
      settings,
    );
    assert.ok(taken >= 100, `${taken} taken`);
  });

  it('take scrobbles that keep the definition, and refuse a submission with one that does not', () => {
    const seconds = fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 1_033_430_400, max: 1_738_371_600 }) },
      { weight: 1, arbitrary: fc.constantFrom<unknown>(0, -1, 1.5, '1700000000', '17e8', null, 1_738_371_601, 1e20) },
    );
    const listen = fc
      .tuple(seconds, anyText(text), anyText(text))
      .map(([listened_at, track_name, artist_name]) => ({ listened_at, track_metadata: { track_name, artist_name } }));
    const isName = (given: unknown): boolean =>
      typeof given === 'string' &&
      !textProblem(given, 1_000) &&
      Array.from(given.normalize('NFC').trim()).length <= 1_000;
    const isSeconds = (given: unknown): boolean =>
      (Number.isInteger(given) || given === '1700000000') && rangeProblem(Number(given) * 1_000) === undefined;
    let read = 0;
    let taken = 0;
    fc.assert(
      fc.property(repeated(listen, 4), (payload) => {
        read += payload.length;
        const isGood = payload.every(
          ({ listened_at, track_metadata }) =>
            isSeconds(listened_at) && isName(track_metadata.track_name) && isName(track_metadata.artist_name),
        );
        const body = Buffer.from(JSON.stringify({ listen_type: 'import', payload }));
        if (!isGood) {
          assert.throws(
            () => readSubmission(body, now, earliest),
            (error) => error instanceof ScrobbleError && error.status === 400 && error.message !== '',
          );
          return;
        }
        const scrobbles = readSubmission(body, now, earliest);
        assert.equal(scrobbles.length, payload.length);
        for (const scrobble of scrobbles) {
          const event = toListeningEvent('anna', scrobble, now);
          assert.deepEqual(listeningEvent.parse(event), event);
          assert.ok(isId(event.event_id) && isId(event.track_id) && isTime(event.timestamp));
          assert.ok(isName(event.title) && isName(event.artist_name));
        }
        taken += scrobbles.length;
      }),
      { ...settings, numRuns: 800 },
    );
    assert.ok(read >= 1_000 && taken >= 100, `${read} listens, ${taken} taken`);
  });

  it('remember no listen of another producer that breaks the definition', () => {
    const record = fc.record({
      schema_version: fc.constant(1),
      event_id: anyText(text),
      user_id: anyText(text),
      track_id: anyText(text),
      event_type: anyText(eventType),
      timestamp: anyText(time),
      received_at: fc.constantFrom<unknown>(now.toISOString(), now.toISOString(), '9999-12-31T23:59:59Z', 'soon'),
      title: fc.option(anyText(text)),
    });
    let taken = 0;
    fc.assert(
      fc.property(record, (value) => {
        const view = new ListenerView(() => now);
        const parsed = listeningEvent.safeParse(JSON.parse(JSON.stringify(value)));
        if (parsed.success) view.takeListen(parsed.data);
        const isTitle = (given: unknown): boolean =>
          given === null || (typeof given === 'string' && (isBlank(given) || !textProblem(given, 1_000)));
        const isGood =
          [value.event_id, value.user_id, value.track_id].every(isId) &&
          isEventType(value.event_type) &&
          isTime(value.timestamp) &&
          value.received_at === now.toISOString() &&
          isTitle(value.title);
        assert.equal(view.size.listeners, isGood ? 1 : 0);
        taken += view.size.listeners;
      }),
      { ...settings, numRuns: 3_000 },
    );
    assert.ok(taken >= 100, `${taken} taken`);
  });
});
