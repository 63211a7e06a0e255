import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';

const times = JSON.parse(
  readFileSync(new URL('../../contracts/acceptance/times.json', import.meta.url), 'utf8'),
) as readonly { readonly text: string }[];

/** fast-check prints seed and path of a failure; SEGUE_TEST_SEED runs it again. */
const seed = process.env['SEGUE_TEST_SEED'];
export const settings = { numRuns: 1_000, ...(seed && { seed: Number(seed) }) };

const odd = [
  ...['\0', '\t', '\n', '\r', '\r\n', '\u001c', '\u0085', '\u007f', '\u009f', '\u2028', '\u2029', '\ud800', '\udc00'],
  ...[
    ' ',
    '\u00a0',
    '\u200b',
    '\u3000',
    '\ufeff',
    '\ufffd',
    '"',
    '""',
    ',',
    '\\',
    '\\"',
    "'",
    '\ud83c\udfb5',
    'e\u0301',
  ],
];

/** Mostly what an id or a name looks like, often with something odd in it, now and then long, empty or anything at all. */
export const text: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: fc.stringMatching(/^[a-zA-Z0-9-]{1,12}$/) },
  {
    weight: 3,
    arbitrary: fc
      .array(fc.oneof(fc.constantFrom(...odd), fc.constantFrom('a', 'Zoé', '坂')), { minLength: 1, maxLength: 4 })
      .map((parts) => parts.join('')),
  },
  { weight: 1, arbitrary: fc.constantFrom('', ' ', '\u3000\u00a0', '\u200b', '\t') },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        fc.constantFrom('a', '\ud83c\udfb5', '\ufb2c'),
        fc.constantFrom(199, 200, 201, 400, 401, 999, 1_000, 1_001),
      )
      .map(([character, count]) => character.repeat(count)),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
);

const goodTime = fc
  .date({ min: new Date('2002-10-01T00:00:00Z'), max: new Date('2025-02-01T01:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString());

/** Mostly times of listens, in all forms; the conformance list; times at the ends of the range; broken ones. */
export const time: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: goodTime },
  { weight: 2, arbitrary: goodTime.map((iso) => iso.replace('T', ' ').slice(0, 16)) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(goodTime, fc.constantFrom('+05:30', '-0930', '+18:00', '-18', '+18:01', ' Z', ' BST', 'z', '+1'))
      .map(([iso, zone]) => iso.replace('Z', zone)),
  },
  { weight: 3, arbitrary: fc.constantFrom(...times.map((entry) => entry.text)) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...['2002-10-01T00:00:00Z', '2002-09-30T23:59:59.999Z', '2025-02-01T01:00:00Z', '2025-02-01T01:00:00.001Z'],
      ...['0001-01-01T00:00:00Z', '9999-12-31T23:59:59-18:00', '2099-01-01T00:00Z', '1970-01-01T00:00:00Z'],
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(goodTime, fc.nat(24), fc.constantFrom('', '9', ' ', 'T', '\n', '٣'))
      .map(([iso, at, put]) => iso.slice(0, at) + put + iso.slice(at + 1)),
  },
);

export const eventType: fc.Arbitrary<string> = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('complete_listen', 'like', 'skip') },
  { weight: 1, arbitrary: fc.constantFrom('Like', '', ' ', 'like ', 'danced', 'like\t') },
);

/** Some of them again, in another order. */
export function repeated<Value>(values: fc.Arbitrary<Value>, maxLength: number): fc.Arbitrary<readonly Value[]> {
  return fc
    .tuple(fc.array(values, { minLength: 1, maxLength }), fc.infiniteStream(fc.nat(1_000)))
    .map(([all, random]) => {
      const next = (): number => random.next().value as number;
      return [...all, ...all.filter(() => next() % 4 === 0)]
        .map((value) => [next(), value] as const)
        .toSorted(([one], [other]) => one - other)
        .map(([, value]) => value);
    });
}
