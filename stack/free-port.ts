import getPort, { portNumbers } from 'get-port';

/**
 * Ports below the ephemeral range of operating systems: no program receives such a port between the check and the start
 * of the service.
 */
const lowest = 20_000;
const highest = 32_000;
const fewest = 1_000;

/** A port of the loopback interface that nobody listens on now, another one at each call. */
export function freePort(): Promise<number> {
  const first = lowest + Math.floor(Math.random() * (highest - fewest - lowest));
  return getPort({ host: '127.0.0.1', port: portNumbers(first, highest) });
}
