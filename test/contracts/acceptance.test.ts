import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { splitRecord } from '../../contracts/acceptance/csv.ts';
import { eventTypes, rules } from '../../contracts/acceptance/rules.ts';
import { idProblem, nameProblem, requiredPattern } from '../../contracts/acceptance/text.ts';
import { parseTime, rangeProblem, timeRange } from '../../contracts/acceptance/time.ts';
import { events } from '../../contracts/events.ts';
import { lake } from '../../contracts/lake.ts';

interface TimeCase {
  readonly text: string;
  readonly instant: string | null;
  readonly about: string;
}

interface TextCase {
  readonly text: string;
  readonly problem: string | null;
  readonly about: string;
}

/** The lists that the Spark side runs too. */
const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../contracts/acceptance/${name}`, import.meta.url), 'utf8'));
const times = read('times.json') as readonly TimeCase[];
const texts = read('texts.json') as readonly TextCase[];

/** An instant of the list to the millisecond, without the years before 100 that Date.UTC takes for others. */
function isoOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}

describe('the grammar of times', () => {
  for (const { text, instant, about } of times) {
    it(`${JSON.stringify(text)}: ${about}`, () => {
      assert.equal(isoOf(parseTime(text)), instant === null ? null : `${instant.slice(0, 23)}Z`);
    });
  }

  it('reads every day of 800 years as the calendar has it, and no other', () => {
    let ms = Date.UTC(1600, 0, 1);
    for (; ms < Date.UTC(2400, 0, 1); ms += 86_400_000) {
      const day = new Date(ms).toISOString().slice(0, 10);
      assert.equal(parseTime(`${day}T00:00Z`), ms, day);
    }
    for (const day of ['1900-02-29', '2000-02-30', '2023-04-31']) assert.equal(parseTime(`${day}T00:00Z`), undefined);
  });
});

describe('the range of times', () => {
  const now = new Date('2025-02-01T00:00:00Z');
  const problem = (text: string, earliest = rules.time.earliest) =>
    rangeProblem(parseTime(text)!, timeRange(earliest, now));

  it('has both of its ends in it', () => {
    assert.equal(problem('2002-10-01T00:00:00Z'), undefined);
    assert.equal(problem('2002-09-30T23:59:59.999Z'), 'too_early');
    assert.equal(problem('2025-02-01T01:00:00Z'), undefined);
    assert.equal(problem('2025-02-01T01:00:00.001Z'), 'too_late');
  });

  it('begins where the setting says', () => {
    assert.equal(problem('1999-01-01T00:00:00Z', '1990-01-01T00:00:00+00:00'), undefined);
    assert.throws(() => timeRange('1990', now), /1990 is no time/);
  });
});

describe('the rules of texts', () => {
  for (const { text, problem, about } of texts) {
    it(`${JSON.stringify(text)}: ${about}`, () => {
      assert.equal(idProblem(text) ?? null, problem);
      assert.equal(nameProblem(text) ?? null, problem);
      assert.equal(new RegExp(requiredPattern, 'u').test(text), problem === null);
    });
  }

  it('count characters, not UTF-16 units', () => {
    const { idMaxLength, nameMaxLength } = rules.text;
    for (const character of ['a', '\u00e9', '\ud83c\udfb5']) {
      assert.equal(idProblem(character.repeat(idMaxLength)), undefined);
      assert.equal(idProblem(character.repeat(idMaxLength + 1)), 'too_long');
      assert.equal(nameProblem(character.repeat(nameMaxLength)), undefined);
      assert.equal(nameProblem(character.repeat(nameMaxLength + 1)), 'too_long');
    }
  });
});

describe('the rules and the other contracts', () => {
  it('agree on event types and lengths', () => {
    assert.deepEqual(eventTypes, rules.eventTypes);
    const column = lake.tables
      .find(({ layer, name }) => layer === 'bronze' && name === 'fact_listening_events')!
      .columns.find(({ name }) => name === 'event_type')!;
    assert.deepEqual(column.allowed, rules.eventTypes);
    const listen = events.find(({ name }) => name === 'listeningEvent')!;
    for (const { name, maxLength } of listen.fields) {
      if (maxLength === undefined) continue;
      const isId = name.endsWith('_id');
      assert.equal(maxLength, isId ? rules.text.idMaxLength : rules.text.nameMaxLength, name);
    }
  });
});

describe('splitting a record', () => {
  const split: readonly (readonly [string, readonly string[] | string])[] = [
    ['a,b', ['a', 'b']],
    ['', ['']],
    [',', ['', '']],
    ['"a,1",b', ['a,1', 'b']],
    ['"a ""b""",c', ['a "b"', 'c']],
    ['""', ['']],
    ['"",', ['', '']],
    ['"a\nb",c', ['a\nb', 'c']],
    ['7" single,b', ['7" single', 'b']],
    [' "a",b', [' "a"', 'b']],
    ['a,b"', ['a', 'b"']],
    ['"a" ,b', 'broken'],
    ['"a"b', 'broken'],
    ['"a \\"b\\"",c', 'broken'],
    ['"a', 'open'],
    ['a,"b,c', 'open'],
    ['a,"', 'open'],
    ['"a"",b', 'open'],
  ];
  for (const [text, expected] of split) {
    it(`${JSON.stringify(text)}: ${JSON.stringify(expected)}`, () => assert.deepEqual(splitRecord(text), expected));
  }

  it('takes backslashes for what MySQL means by them, where it is told to', () => {
    assert.deepEqual(splitRecord(String.raw`"The \"Blue\" Hour",1`, '\\'), ['The "Blue" Hour', '1']);
    assert.deepEqual(splitRecord(String.raw`"End \"",1`, '\\'), ['End "', '1']);
    assert.deepEqual(splitRecord(String.raw`"AC\\DC",a\b`, '\\'), [String.raw`AC\DC`, String.raw`a\b`]);
    assert.deepEqual(splitRecord(String.raw`"one ""two"" \"three\" \x",`, '\\'), ['one "two" "three" \\x', '']);
    assert.equal(splitRecord(String.raw`"never \"`, '\\'), 'open');
  });
});
