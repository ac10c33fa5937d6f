import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import { hostLinkKeys, peerKeyCheck, peerTrafficKey } from '../../applet-spec/traffic-keys.ts';
import vectors from '../../applet-spec/vectors/scp03-s16.json' with { type: 'json' };
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';

const both = [noblePrimitives, opensslPrimitives];

describe('traffic keys', () => {
  it.each(vectors.hostLink)('$comment', (vector) => {
    const context = {
      cardChallenge: fromHex(vector.cardChallenge),
      stationChallenge: fromHex(vector.stationChallenge),
      hostNonce: fromHex(vector.hostNonce),
    };
    for (const primitives of both) {
      const { toStation, toHost } = hostLinkKeys(primitives, fromHex(vector.hostLink), context);
      expect(toHex(toStation)).toBe(vector.toStation);
      expect(toHex(toHost)).toBe(vector.toHost);
    }
    const shorter = { ...context, hostNonce: new Uint8Array(15) };
    expect(() => hostLinkKeys(noblePrimitives, fromHex(vector.hostLink), shorter)).toThrow(
      RangeError,
    );
  });

  it.each(vectors.peerTraffic)('$comment', (vector) => {
    const direction = vector.direction === 'to-payee' ? 'to-payee' : 'to-payer';
    const [peerKey, paymentId] = [fromHex(vector.peerKey), fromHex(vector.paymentId)];
    for (const primitives of both) {
      const made = peerTrafficKey(primitives, peerKey, direction, paymentId, BigInt(vector.epoch));
      expect(toHex(made)).toBe(vector.trafficKey);
    }
  });

  it.each(vectors.peerCheck)('$comment', (vector) => {
    const [peerKey, paymentId] = [fromHex(vector.peerKey), fromHex(vector.paymentId)];
    expect(toHex(peerKeyCheck(noblePrimitives, peerKey, paymentId))).toBe(vector.check);
  });

  it('has no epoch 0 and none beyond four bytes', () => {
    for (const epoch of [0n, -1n, 1n << 32n]) {
      const derive = (): Uint8Array =>
        peerTrafficKey(noblePrimitives, new Uint8Array(32), 'to-payee', new Uint8Array(32), epoch);
      expect(derive).toThrow(RangeError);
    }
  });
});
