import { isIP } from 'node:net';
import { z } from 'zod';

/** Names that Express knows for ranges of addresses. */
const ranges = ['loopback', 'linklocal', 'uniquelocal'];

/** The proxies that Express trusts: none, the last hops by number, or the proxies at these addresses. */
export type TrustProxy = false | number | string[];

/**
 * SEGUE_API_TRUST_PROXY: `false`, a number of hops (1 to 32), or a comma list of addresses, subnets (`10.0.0.0/8`) and
 * `loopback`, `linklocal`, `uniquelocal`. `true` is refused: with it every client could choose its own address.
 */
export const trustProxy = z.string().transform((given, context): TrustProxy => {
  if (given === 'false' || given === '0' || given === 'no') return false;
  if (/^\d+$/.test(given)) {
    const hops = Number(given);
    if (hops <= 32) return hops;
  }
  const proxies = given.split(',').map((proxy) => proxy.trim());
  if (proxies.every(isProxy)) return proxies;
  context.addIssue({
    code: 'custom',
    message: `${given}: give false, a number of hops (1 to 32), or addresses and subnets with commas between (10.0.0.0/8, loopback)`,
  });
  return z.NEVER;
});

function isProxy(given: string): boolean {
  if (ranges.includes(given)) return true;
  const [address = '', prefix, ...more] = given.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0) return false;
  return (
    prefix === undefined ||
    (/^\d{1,3}$/.test(prefix) && Number(prefix) >= 1 && Number(prefix) <= (family === 4 ? 32 : 128))
  );
}
