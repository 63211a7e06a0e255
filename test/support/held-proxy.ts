import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy that can be told to hold back what clients send after a number of bytes: a network that hangs. */
export interface HeldProxy {
  readonly port: number;
  /** From now on, lets this many more bytes pass towards the service, then holds. */
  holdAfter(bytes: number): void;
  /** Resolves once something is held. */
  readonly held: () => boolean;
  /** Lets everything pass again. */
  release(): void;
  close(): Promise<void>;
}

/** Starts a proxy on a free port in front of a port of 127.0.0.1. */
export async function startHeldProxy(targetPort: number): Promise<HeldProxy> {
  const sockets = new Set<Socket>();
  const waiting = new Set<Socket>();
  let allowance = Infinity;
  const server = createServer((client) => {
    const service = connect(targetPort, '127.0.0.1');
    for (const socket of [client, service]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => sockets.delete(socket));
    }
    service.pipe(client);
    // A service that dies takes its connections with it, as it would without a proxy.
    service.on('close', () => client.destroy());
    client.on('data', (chunk) => {
      service.write(chunk);
      allowance -= chunk.length;
      if (allowance > 0) return;
      client.pause();
      waiting.add(client);
    });
    client.on('close', () => {
      waiting.delete(client);
      service.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const release = (): void => {
    allowance = Infinity;
    for (const client of waiting) client.resume();
    waiting.clear();
  };
  return {
    port: (server.address() as AddressInfo).port,
    holdAfter: (bytes) => {
      allowance = bytes;
    },
    held: () => waiting.size > 0,
    release,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
