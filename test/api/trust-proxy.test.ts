import assert from 'node:assert/strict';
import { trustProxy } from '../../api/http/trust-proxy.ts';

describe('SEGUE_API_TRUST_PROXY', () => {
  const taken: readonly (readonly [string, unknown])[] = [
    ['false', false],
    ['0', false],
    ['1', 1],
    ['32', 32],
    ['loopback', ['loopback']],
    ['10.0.0.0/8, fd00::/8,192.0.2.1', ['10.0.0.0/8', 'fd00::/8', '192.0.2.1']],
  ];
  for (const [given, expected] of taken) {
    it(`takes ${given}`, () => assert.deepEqual(trustProxy.parse(given), expected));
  }
  for (const given of [
    'true',
    '33',
    '-1',
    '1.5',
    'everybody',
    '10.0.0.0/33',
    '10.0.0.0/0',
    '10.0.0.0/8/8',
    'fd00::/129',
    ',',
  ]) {
    it(`refuses ${given} and says what to give`, () => {
      assert.match(trustProxy.safeParse(given).error!.issues[0]!.message, /give false, a number of hops/);
    });
  }
});
