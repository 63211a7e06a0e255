import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultSeedOptions } from '../../generators/options.ts';
import { writeState } from '../../generators/state.ts';
import { generatingMark } from '../../stack/data-dir.ts';
import { demoDataSteps } from '../../stack/demo-data.ts';
import { temporaryFolder } from './small-services.ts';

describe('the demo data of npm start', () => {
  let folder: ReturnType<typeof temporaryFolder>;

  beforeEach(() => {
    folder = temporaryFolder();
  });

  afterEach(() => folder.remove());

  function putEvents(): void {
    writeFileSync(join(folder.path, 'fact_listening_events_2024.csv'), 'event_id\n');
  }

  async function seeded(days: number, lastWeekEnd: string | null = '2025-01-07'): Promise<void> {
    putEvents();
    await writeState(folder.path, { options: { ...defaultSeedOptions, days }, lastWeekEnd });
  }

  async function titles(askedDays?: number): Promise<string[]> {
    return (await demoDataSteps(folder.path, askedDays)).map(({ title }) => title);
  }

  it('are 90 days and a week where there are none, and the days that are asked for', async () => {
    assert.deepEqual(await titles(), ['demo data (90 days)', 'demo week']);
    assert.deepEqual(await titles(366), ['demo data (366 days)', 'demo week']);
  });

  it('stay as they are when any will do; only a week that is missing is made', async () => {
    await seeded(366);
    assert.deepEqual(await titles(), []);
    await seeded(30, null);
    assert.deepEqual(await titles(), ['demo week']);
  });

  it('that are fewer days than were asked for are told, with what to do', async () => {
    await seeded(90);
    await assert.rejects(titles(366), {
      name: 'StackError',
      message:
        `${folder.path} holds 90 days of demo data, not 366: run ` +
        `"npm run generate -- seed --days 366 --out ${folder.path}" and start again, or set SEGUE_DATA_DIR and SEGUE_STATE_DIR to other folders.`,
    });
    await seeded(366);
    assert.deepEqual(await titles(366), []);
  });

  it('have no place beside listens of one’s own', async () => {
    putEvents();
    assert.deepEqual(await titles(), []);
    await assert.rejects(titles(366), /did not make.*SEGUE_DATA_DIR and SEGUE_STATE_DIR/);
  });

  it('of a generation that was interrupted are made again, as many as are asked for', async () => {
    await seeded(90);
    writeFileSync(generatingMark(folder.path), '');
    assert.deepEqual(await titles(366), ['demo data (366 days)', 'demo week']);
  });
});
