import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { problems } from '../../api/problems.ts';
import { failures } from '../../contracts/failures.ts';

const repository = new URL('../../', import.meta.url);
const page = readFileSync(new URL('docs/errors.md', repository), 'utf8');

describe('docs/errors.md', () => {
  it('explains every failure type, and no other', () => {
    const explained = [...page.matchAll(/^### (\w+)$/gm)].map((match) => match[1]!);
    assert.deepEqual(explained.toSorted(), Object.keys(failures).toSorted());
  });

  it('says of each failure whether it is retried, as the catalogue does', () => {
    for (const [type, { retryable }] of Object.entries(failures)) {
      const [, section = ''] = new RegExp(`^### ${type}\\n([^#]*)`, 'm').exec(page) ?? [];
      assert.equal(/Not\s+retried/.test(section), !retryable, type);
    }
  });

  it('explains every code of the API, with its status', () => {
    const explained = [...page.matchAll(/^\| `(\w+)`\s+\| (\d{3})\s+\|/gm)].map((match) => `${match[1]} ${match[2]}`);
    const codes = Object.entries(problems).map(([code, { status }]) => `${code} ${status}`);
    assert.deepEqual(explained.toSorted(), codes.toSorted());
  });
});

describe('the failure catalogue', () => {
  it('has no type that no activity and no workflow names', () => {
    const source = ['activities/', 'workflows/']
      .map((room) => new URL(room, repository))
      .flatMap((folder) => sourcesIn(folder).map((name) => readFileSync(new URL(name, folder), 'utf8')))
      .join('\n');
    for (const type of Object.keys(failures)) assert.match(source, new RegExp(`'${type}'`), type);
  });
});

function sourcesIn(folder: URL): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
}
