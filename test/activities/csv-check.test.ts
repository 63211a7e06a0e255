import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { rules } from '../../contracts/acceptance/rules.ts';
import { checkCsv, checkCsvStream, type CsvCheck } from '../../activities/csv-check.ts';

/** Some bytes in reads of this size. */
async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

describe('checkCsv', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'segue-test-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function check(content: string | Buffer, multiLine = false): Promise<CsvCheck> {
    const path = join(folder, 'file.csv');
    await writeFile(path, content);
    return checkCsv(path, { multiLine });
  }

  it('answers header, rows, size and hash of a plain file', async () => {
    const content = 'a,b\n1,2\n3,4\n';
    assert.deepEqual(await check(content), {
      header: ['a', 'b'],
      rows: 2,
      sizeBytes: content.length,
      sha256: createHash('sha256').update(content).digest('hex'),
    });
  });

  it('counts a last line without a line break', async () => {
    assert.equal((await check('a,b\n1,2\n3,4')).rows, 2);
  });

  it('counts neither blank lines nor lines of white space', async () => {
    assert.equal((await check('a,b\n\n1,2\n   \n\t\n3,4\n\n')).rows, 2);
  });

  it('takes CRLF for one line break', async () => {
    const found = await check('a,b\r\n1,2\r\n\r\n3,4\r\n');
    assert.deepEqual([found.rows, found.header], [2, ['a', 'b']]);
  });

  it('takes no notice of a byte order mark in the header', async () => {
    assert.deepEqual((await check('\ufeffa,b\n1,2\n')).header, ['a', 'b']);
  });

  it('keeps a line break inside quotes in its row where fields may hold them', async () => {
    assert.equal((await check('a,b\n"one\ntwo",2\n"say ""x""\n",4\n', true)).rows, 2);
  });

  it('counts every line where fields may not hold line breaks', async () => {
    assert.equal((await check('a,b\n"one\ntwo",2\n', false)).rows, 2);
  });

  it('does not take a quote inside an unquoted field for the start of a quoted one', async () => {
    assert.equal((await check('a,b\n5" disc,2\n6" disc,3\n', true)).rows, 2);
  });

  it('answers no header and no rows for an empty file', async () => {
    const found = await check('');
    assert.deepEqual([found.header, found.rows, found.sizeBytes], [[], 0, 0]);
  });

  it('answers no rows for a header alone', async () => {
    assert.equal((await check('a,b\n')).rows, 0);
  });

  it('names the line that is not UTF-8', async () => {
    const content = Buffer.concat([Buffer.from('a,b\n1,é\n2,'), Buffer.from([0xe9, 0x0a]), Buffer.from('3,x\n')]);
    assert.equal((await check(content)).firstBadLine, 3);
  });

  it('names a last line that is not UTF-8 and has no line break', async () => {
    assert.equal((await check(Buffer.concat([Buffer.from('a,b\n1,'), Buffer.from([0xff])]))).firstBadLine, 2);
  });

  it('takes characters that are split between two reads for what they are', async () => {
    // 'é' has two bytes; an odd prefix makes one of them straddle every read of 1 MiB.
    const content = `a\n${'é'.repeat(1_500_000)}\n${'x'.repeat(11)}é\n`;
    const found = await check(content);
    assert.deepEqual([found.firstBadLine, found.rows], [undefined, 2]);
  });

  it('shows a header whose quote is never closed as it stands', async () => {
    assert.deepEqual((await check('"a,b\n1,2\n')).header, ['"a', 'b']);
  });

  it('numbers lines that end in one return, wherever a read ends', async () => {
    const content = Buffer.concat([Buffer.from('a,b\r1,2\r\n3,4\r'), Buffer.from([0xe9]), Buffer.from('\r5,6')]);
    for (const size of [1, 2, 5, 100]) {
      const found = await checkCsvStream(pieces(content, size), { multiLine: true });
      assert.equal(found.firstBadLine, 4, String(size));
    }
  });

  it('refuses the first line alone of a record whose quote closes wrongly, never, or on a row of other columns', async () => {
    // Header, then rows: the expected number of rows is that of records in bronze and in quarantine.
    const songs = 'id,title,artist\n';
    const cases: readonly (readonly [string, number])[] = [
      // A whole row follows in the title, which closes in the third: x after the quote.
      [`${songs}1,"Unclosed,A\n2,River,A\n3,12" version,A\n4,Last,A\n5,"Fine, too",A\n`, 5],
      // Closes rightly, two lines later, with too many fields.
      [`${songs}1,"Unclosed,A\n2,River,A\n3,12",A,B\n`, 3],
      // … and with as many as the header: one record.
      [`${songs}1,"Two\nlines",A\n2,River,A\n`, 2],
      [`${songs}1,"Two\r\n""lines""",A\r\n2,River,A\r\n`, 2],
      [`${songs}1,Never,"A\n2,River,A\n3,Last,A`, 3],
      [`${songs}1,End,"A"`, 1],
      [`${songs}1,"a\n\nb",A\n\n2,River,A\n`, 2],
      [`${songs}1,"a\rb",A\r2,"River,A\r`, 2],
      [`\ufeff\n"id","title","artist"\n1,"a\nb",A\n`, 1],
    ];
    for (const [text, rows] of cases) {
      for (const size of [1, 7, 1_000]) {
        const found = await checkCsvStream(pieces(Buffer.from(text), size), { multiLine: true });
        assert.equal(found.rows, rows, JSON.stringify(text));
      }
    }
  });

  it('takes a quote for one that never closes where its record grows longer than it may', async () => {
    const { longestRecordBytes } = rules.csv;
    const record = (bytes: number): string => `1,"\n${'x'.repeat(bytes - 5)}"\n`;
    const rows = async (text: string): Promise<number> => (await check(`a,b\n${text}2,3\n`, true)).rows;
    assert.equal(record(longestRecordBytes).length, longestRecordBytes + 1);
    assert.equal(await rows(record(longestRecordBytes)), 2);
    assert.equal(await rows(record(longestRecordBytes + 1)), 3);
    // A long line is a record by itself, whatever is quoted in it.
    const long = `1,"${'x'.repeat(3 * longestRecordBytes)}`;
    assert.equal(await rows(`${long}"\n`), 2);
    assert.equal(await rows(`${long}\ny"\n`), 3);
  });

  it('holds no more than a read of a file without a line break, and still finds what is no text in it', async function () {
    this.timeout(60_000);
    async function* endless(last: Buffer): AsyncGenerator<Buffer> {
      for (let read = 0; read < 400; read++) yield Buffer.alloc(1024 * 1024, 'x');
      yield last;
    }
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const onBytes = (): void => void (most = Math.max(most, process.memoryUsage().arrayBuffers - before));
    for (const multiLine of [false, true]) {
      const good = await checkCsvStream(endless(Buffer.from('é')), { multiLine, onBytes });
      assert.deepEqual([good.firstBadLine, good.rows], [undefined, 0]);
    }
    assert.ok(most < 200 * 1024 * 1024, `${most} bytes`);
    const bad = await checkCsvStream(endless(Buffer.from([0xe9, 0x78])), { multiLine: false });
    assert.equal(bad.firstBadLine, 1);
  });
});
