import { once } from 'node:events';
import { Agent, createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What becomes of one request: sent on at once, sent on when a promise is kept, sent on without an answer, or answered so. */
export type Treatment =
  | { readonly kind: 'pass' }
  | { readonly kind: 'hold'; readonly until: Promise<void> }
  | { readonly kind: 'lose answer' }
  | { readonly kind: 'forget condition' };

/** A proxy before an S3 store that treats some requests badly. */
export interface S3Proxy {
  readonly port: number;
  /** How requests are treated from now on; all pass until told. */
  treat(rule: (request: IncomingMessage) => Treatment): void;
  close(): Promise<void>;
}

const pass: Treatment = { kind: 'pass' };

/** Starts a proxy on a free port before a store on a port of 127.0.0.1; signatures stay good, as the host header is kept. */
export async function startS3Proxy(storePort: number): Promise<S3Proxy> {
  let rule: (request: IncomingMessage) => Treatment = () => pass;
  const agent = new Agent({ keepAlive: true });
  const server = createServer((request, response) => {
    void handle(request, response, rule(request)).catch(() => response.destroy());
  });
  const handle = async (request: IncomingMessage, response: ServerResponse, treatment: Treatment): Promise<void> => {
    if (treatment.kind === 'hold') await treatment.until;
    const { method, url, headers } = request;
    const upstream = forward({ host: '127.0.0.1', port: storePort, method, path: url, headers, agent });
    request.pipe(upstream);
    const [answer] = (await once(upstream, 'response')) as [IncomingMessage];
    if (treatment.kind === 'lose answer') return void response.destroy();
    const isCondition = treatment.kind === 'forget condition' && answer.statusCode === 412;
    if (isCondition) return void response.writeHead(200, { etag: '"0123"', 'content-length': '0' }).end();
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    treat: (next) => {
      rule = next;
    },
    close: async () => {
      agent.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
