import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { checkCsvStream } from '../../activities/csv-check.ts';
import { EventRowCounter } from '../../activities/event-rows.ts';
import { timeRange } from '../../contracts/acceptance/time.ts';
import { eventType, repeated, settings, text, time } from './hostile.ts';
import { columns, countRecords, earliest, now, rowProblem } from './naive.ts';

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

/** A field as exports write them: as it is, quoted, or quoted badly. */
const field = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(value, fc.constantFrom('plain', 'plain', 'plain', 'plain', 'quoted', 'quoted', 'open', 'backslash', 'early'))
    .map(([said, how]) => {
      if (how === 'quoted') return `"${said.replaceAll('"', '""')}"`;
      if (how === 'open') return said.length % 5 === 0 ? `"${said}` : said;
      if (how === 'backslash') return said.length % 3 === 0 ? `"${said.replaceAll('"', '\\"')}"` : said;
      return how === 'early' && said.length % 7 === 0 ? `"${said}"x` : said;
    });

describe('the door of files', function () {
  this.timeout(120_000);

  it('judges event rows as the definition does, by the same reasons, and counts every line once', async () => {
    const range = timeRange(earliest, now);
    const row = fc
      .tuple(field(text), field(text), field(text), field(eventType), field(time), fc.nat(40))
      .map((parts) => {
        const [event, user, track, type, at, more] = parts;
        const fields = [event, user, track, type, at];
        return (more === 0 ? [...fields, 'more'] : more === 1 ? fields.slice(1) : fields).join(',');
      });
    const rows = repeated(row, 20);
    let judged = 0;
    let good = 0;
    await fc.assert(
      fc.asyncProperty(
        rows,
        fc.integer({ min: 1, max: 300 }),
        fc.constantFrom('\n', '\r\n', '\r'),
        async (lines, size, end) => {
          const bytes = Buffer.from([columns.join(','), ...lines].join(end));
          const counter = new EventRowCounter(range);
          const onChunk = (chunk: Buffer): void => counter.add(chunk);
          const found = await checkCsvStream(pieces(bytes, size), { multiLine: false, onChunk });
          const { rows: refused, reasons } = counter.end();
          // As it stands in the file: some lines hold line breaks, and unpaired surrogates become U+FFFD.
          const inFile = bytes
            .toString('utf8')
            .split(/\r\n|\n|\r/)
            .slice(1)
            .filter((line) => /[^\0- ]/.test(line));
          const expected: Record<string, number> = {};
          for (const line of inFile) {
            const problem = rowProblem(line);
            if (problem) expected[problem] = (expected[problem] ?? 0) + 1;
            else good++;
          }
          judged += inFile.length;
          assert.deepEqual(reasons, expected);
          assert.equal(found.rows, inFile.length);
          assert.equal(
            refused,
            Object.values(expected).reduce((sum, count) => sum + count, 0),
          );
        },
      ),
      { ...settings, numRuns: 500 },
    );
    assert.ok(judged >= 1_000 && good >= 100, `${judged} rows, ${good} of them good`);
  });

  it('counts the records of a file with line breaks in quotes as the definition does, however its bytes come', async () => {
    const piece = fc.constantFrom('"', '"', '""', ',', ',', '\n', '\n', '\r\n', '\r', 'a', 'é', ' ', '\t', '\u0085');
    const record = fc.constantFrom(
      '1,x,y\n',
      '2,"a\nb",y\n',
      '3,"River, wide",\n',
      '4,"open,y\n',
      '5,"a" b,y\r\n',
      '\n',
    );
    const parts = fc.array(fc.oneof(piece, record), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(parts, fc.integer({ min: 1, max: 100 }), async (some, size) => {
        const content = `id,title,artist\n${some.join('')}`;
        const found = await checkCsvStream(pieces(Buffer.from(content), size), { multiLine: true });
        assert.equal(found.rows, countRecords(content));
      }),
      { ...settings, numRuns: 5_000 },
    );
  });
});
