/** `npm run bench -- [NAME]`: runs one bench, or all of them, one after another. */
import { benchEventStream } from './event-stream.ts';
import { benchEvents } from './events.ts';
import { benchInitialLoad } from './initial-load.ts';
import { benchLongLog } from './long-log.ts';
import { benchOrchestration } from './orchestration.ts';
import { benchWeeklyLoad } from './weekly-load.ts';
import { benchRefresh } from './refresh.ts';
import { benchQuality } from './quality.ts';
import { benchSmallLake } from './small-lake.ts';

const benches: Readonly<Record<string, () => Promise<void>>> = {
  'event-stream': benchEventStream,
  'initial-load': benchInitialLoad,
  'weekly-load': benchWeeklyLoad,
  orchestration: benchOrchestration,
  'long-log': benchLongLog,
  events: async () => {
    await benchEvents();
    await benchEventStream();
  },
  refresh: benchRefresh,
  quality: benchQuality,
  'small-lake': benchSmallLake,
};
/** Without a name; event-stream is a part of events. */
const all = Object.keys(benches).filter((name) => name !== 'event-stream');

const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in benches));
if (unknown.length > 0) {
  console.error(`no bench ${unknown.join(', ')}; there are: ${Object.keys(benches).join(', ')}`);
  process.exitCode = 2;
} else {
  for (const name of names.length > 0 ? names : all) await benches[name]!();
}
