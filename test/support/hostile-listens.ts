import * as fc from 'fast-check';
import rules from '../../contracts/acceptance/rules.json' with { type: 'json' };
import times from '../../contracts/acceptance/times.json' with { type: 'json' };

/** A listen as a client, a file or another producer may send it. */
export interface SentListen {
  readonly event_id: string;
  readonly user_id: string;
  readonly track_id: string;
  readonly event_type: string;
  readonly timestamp: string;
}

/** What a door can carry: a line of a CSV holds no line break, and a file with NUL or bytes that are no UTF-8 is refused whole. */
export interface Carrier {
  readonly lineBreaks: boolean;
}

const hourMs = 3_600_000;
const recentMs = 8 * 7 * 24 * hourMs;
const { earliest } = rules.time;
const { nameMaxLength } = rules.text;
const idFields = ['event_id', 'user_id', 'track_id'] as const;
const character = fc.constantFrom(
  ...[
    'a',
    'Z',
    '7',
    '-',
    '_',
    '.',
    '"',
    ',',
    "'",
    '\\',
    '%',
    '/',
    'é',
    'ß',
    '\u00A0',
    '\u200D',
    '\u{1F3B5}',
    '漢',
    '\uFFFD',
  ],
);
const id = fc.string({ unit: character, minLength: 1, maxLength: 40 }).map((text) => `x${text}x`);
const controlCharacters = ['\u0001', '\t', '\u000B', '\u001C', '\u007F', '\u0085', '\u009F', '\u2028', '\u2029'];
const malformed = times.filter(({ instant, text }) => instant === null && !/[\r\n]/.test(text)).map(({ text }) => text);

/** Listens of one user that every door takes: odd ids and times, within the written rules; the ids are unique. */
export function acceptedListens(seed: number, count: number, user: string, now: Date): readonly SentListen[] {
  const listen = fc.record({
    track_id: id,
    event_type: fc.constantFrom(...rules.eventTypes),
    timestamp: acceptedTime(now),
  });
  return fc
    .sample(listen, { seed, numRuns: count })
    .map((each, place) => ({ ...each, event_id: `accepted-${seed}-${place}`, user_id: user }));
}

/** A listen with one fault, and the field that has it. */
export interface FaultyListen {
  readonly listen: SentListen;
  readonly field: keyof SentListen;
  readonly value: string;
}

/** Listens with one fault each, which every door has to refuse. */
export function refusedListens(seed: number, count: number, now: Date, carrier: Carrier): readonly FaultyListen[] {
  const good = fc.record({
    event_id: id,
    user_id: id,
    track_id: id,
    event_type: fc.constantFrom(...rules.eventTypes),
    timestamp: acceptedTime(now),
  });
  const fault = fc.oneof(
    fc.record({ field: fc.constantFrom(...idFields), value: refusedId(carrier) }),
    fc.record({
      field: fc.constant('event_type' as const),
      value: fc.constantFrom('', 'listen', 'LIKE', ' like', 'skip '),
    }),
    fc.record({ field: fc.constant('timestamp' as const), value: refusedTime(now) }),
  );
  return fc
    .sample(fc.tuple(good, fault), { seed, numRuns: count })
    .map(([listen, { field, value }]) => ({ listen: { ...listen, [field]: value }, field, value }));
}

/** The limits, two days of long ago, and mostly the last weeks: each week of the data is a partition, and a refresh writes each. */
function acceptedTime(now: Date): fc.Arbitrary<string> {
  const latest = now.getTime() + hourMs / 2;
  const longAgo = ['2009-02-13T23:31:30Z', '2016-02-29T12:00:00Z'].map((text) => Date.parse(text));
  const recent = fc.integer({ min: latest - recentMs, max: latest });
  const moment = fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom(Date.parse(earliest), ...longAgo) },
    { weight: 9, arbitrary: recent },
  );
  return fc
    .tuple(moment, fc.constantFrom('T', ' '), fc.constantFrom('Z', '', '+00:00', '+00'))
    .map(([ms, separator, zone]) => new Date(ms).toISOString().replace('T', separator).replace('Z', zone));
}

function refusedTime(now: Date): fc.Arbitrary<string> {
  const later = fc
    .integer({ min: 2, max: 1_000_000 })
    .map((hours) => new Date(now.getTime() + hours * hourMs).toISOString());
  const sentinels = [
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59Z',
    '1970-01-01T00:00:00Z',
    '2002-09-30T23:59:59.999Z',
  ];
  return fc.oneof(fc.constantFrom(...malformed), fc.constantFrom(...sentinels), later);
}

function refusedId({ lineBreaks }: Carrier): fc.Arbitrary<string> {
  const controls = lineBreaks ? [...controlCharacters, '\n', '\r', '\u0000', '\uD800'] : controlCharacters;
  const withControl = fc
    .tuple(id, fc.constantFrom(...controls), id)
    .chain(([before, control, after]) =>
      fc.constantFrom(`${control}${after}`, `${before}${control}`, `${before}${control}${after}`),
    );
  // Too long for a name, too: a door that has no place for an id takes it for a name.
  const tooLong = fc.integer({ min: 1, max: 100 }).map((more) => 'x'.repeat(nameMaxLength + more));
  return fc.oneof(withControl, tooLong, fc.constantFrom('', ' ', '\u3000', '\u200B'));
}
