/**
 * Many clients of the event stream in a process of their own: argv are the address and how many. Prints `open` when all are
 * connected; on a line on stdin prints what each of them got as one JSON document, and ends.
 */
import { once } from 'node:events';
import { get } from 'node:http';
import { createInterface } from 'node:readline/promises';

const [url = '', count = '1'] = process.argv.slice(2);

interface Client {
  readonly seen: Set<string>;
  repeated: number;
  isOpen: boolean;
  rest: string;
}

const clients = Array.from({ length: Number(count) }, (): Client => ({
  seen: new Set(),
  repeated: 0,
  isOpen: false,
  rest: '',
}));
// A few at a time: what is measured is holding them, not a thousand handshakes at once.
for (let at = 0; at < clients.length; at += 50) await Promise.all(clients.slice(at, at + 50).map(open));
console.log('open');
const lines = createInterface({ input: process.stdin });
await once(lines, 'line');
lines.close();
console.log(
  JSON.stringify({
    open: clients.filter((client) => client.isOpen).length,
    repeated: clients.reduce((sum, client) => sum + client.repeated, 0),
    // Every client's events in one text each would be megabytes: whoever has all that the first has is told apart by count.
    fewest: Math.min(...clients.map((client) => client.seen.size)),
    different: clients.filter((client) => [...clients[0]!.seen].some((id) => !client.seen.has(id))).length,
    seen: [...clients[0]!.seen],
  }),
);
process.exit(0);

async function open(client: Client): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const request = get(url, { agent: false }, (response) => {
      client.isOpen = true;
      response.setEncoding('latin1');
      response.on('data', (text: string) => read(client, text));
      response.on('close', () => {
        client.isOpen = false;
      });
      resolve();
    });
    request.on('error', reject);
  });
}

function read(client: Client, text: string): void {
  const blocks = (client.rest + text).split('\n\n');
  client.rest = blocks.pop()!;
  for (const block of blocks) {
    const [, id] = /^id: (\S+)\nevent: listen$/m.exec(block) ?? [];
    if (id === undefined) continue;
    if (client.seen.has(id)) client.repeated++;
    client.seen.add(id);
  }
}
