import getPort, { portNumbers } from 'get-port';

/** Below what systems give to whoever asks for any port: none of these is taken between the look and the service's start. */
const lowest = 20_000;
const highest = 32_000;
const fewest = 1_000;

/** A port of the loopback interface that nobody listens on now, another one at each call. */
export function freePort(): Promise<number> {
  const first = lowest + Math.floor(Math.random() * (highest - fewest - lowest));
  return getPort({ host: '127.0.0.1', port: portNumbers(first, highest) });
}
