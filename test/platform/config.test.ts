import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { acceptanceSettings } from '../../platform/process-settings.ts';
import { ConfigError, flag, port, readConfig } from '../../platform/config.ts';

describe('the earliest listen', () => {
  const schema = z.object(acceptanceSettings);

  it('is the one of the rules, or a time by the same grammar', () => {
    assert.equal(readConfig(schema, {}).SEGUE_EARLIEST_LISTEN, '2002-10-01T00:00:00.000Z');
    const set = readConfig(schema, { SEGUE_EARLIEST_LISTEN: '1998-01-01 00:00+02' });
    assert.equal(set.SEGUE_EARLIEST_LISTEN, '1997-12-31T22:00:00.000Z');
    for (const wrong of ['1998', '1998-01-01', 'never'])
      assert.throws(
        () => readConfig(schema, { SEGUE_EARLIEST_LISTEN: wrong }),
        /SEGUE_EARLIEST_LISTEN: give an ISO 8601/,
      );
  });
});

describe('readConfig', () => {
  const schema = z.object({ SEGUE_PORT: port.default(1234), SEGUE_SECRET: z.string(), SEGUE_ON: flag.default(false) });

  it('fills in defaults and parses numbers', () => {
    assert.deepEqual(readConfig(schema, { SEGUE_SECRET: 'x', SEGUE_ON: 'true' }), {
      SEGUE_PORT: 1234,
      SEGUE_SECRET: 'x',
      SEGUE_ON: true,
    });
  });

  it('takes an empty variable for one that is not set', () => {
    assert.equal(readConfig(schema, { SEGUE_SECRET: 'x', SEGUE_PORT: '' }).SEGUE_PORT, 1234);
  });

  it('reads a secret from the file that X_FILE names, without its line break', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'segue-test-'));
    try {
      await writeFile(join(folder, 'secret'), 'hush\n');
      assert.equal(readConfig(schema, { SEGUE_SECRET_FILE: join(folder, 'secret') }).SEGUE_SECRET, 'hush');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('names the variable and the file when a secret cannot be read', () => {
    assert.throws(() => readConfig(schema, { SEGUE_SECRET_FILE: '/nowhere/secret' }), {
      name: 'ConfigError',
      message: /SEGUE_SECRET_FILE names \/nowhere\/secret/,
    });
  });

  it('lists every problem at once', () => {
    assert.throws(
      () => readConfig(schema, { SEGUE_PORT: '70000', SEGUE_ON: 'maybe' }),
      (error: unknown) =>
        error instanceof ConfigError &&
        ['SEGUE_PORT', 'SEGUE_SECRET', 'SEGUE_ON'].every((name) => error.message.includes(name)),
    );
  });
});
