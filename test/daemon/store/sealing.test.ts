import { describe, expect, it } from 'vitest';
import { opensslPrimitives } from '../../../daemon/openssl-primitives.ts';
import { Sealer, type SealedPlace } from '../../../daemon/store/sealing.ts';
import { systemEntropy } from '../../../emulator/entropy.ts';
import { bytesFrom } from '../../contract/store-fixture.ts';

function sealer(
  wish: { readonly stationKey?: Uint8Array; readonly station?: string } = {},
): Sealer {
  return new Sealer({
    primitives: opensslPrimitives,
    entropy: systemEntropy,
    stationKey: wish.stationKey ?? bytesFrom('station key'),
    station: wish.station ?? 'q1',
  });
}

const place: SealedPlace = { table: 'coin', row: bytesFrom('row'), version: 1, state: 'in-pool' };
const secret = bytesFrom('secret');

describe('sealing at rest', () => {
  it('opens in its own place', () => {
    expect(sealer().open(place, sealer().seal(place, secret))).toEqual(secret);
    const empty = new Uint8Array(0);
    expect(sealer().open(place, sealer().seal(place, empty))).toEqual(empty);
  });

  it('never gives the same bytes twice', () => {
    expect(sealer().seal(place, secret)).not.toEqual(sealer().seal(place, secret));
  });

  it.each([
    ['table', { ...place, table: 'card' }],
    ['row', { ...place, row: bytesFrom('other row') }],
    ['version', { ...place, version: 2 }],
    ['state', { ...place, state: 'in-poo' }],
    ['border between fields', { ...place, table: 'coi', row: Uint8Array.of(0x6e, ...place.row) }],
  ])('does not open with another %s', (_what, other) => {
    const sealed = sealer().seal(place, secret);
    expect(() => sealer().open(other, sealed)).toThrow('does not open');
  });

  it('does not open for another station or under another key', () => {
    const sealed = sealer().seal(place, secret);
    expect(() => sealer({ station: 'q2' }).open(place, sealed)).toThrow('does not open');
    const stationKey = bytesFrom('another key');
    expect(() => sealer({ stationKey }).open(place, sealed)).toThrow('does not open');
  });

  it('does not open with any bit changed, nor cut', () => {
    const sealed = sealer().seal(place, secret);
    for (let at = 0; at < sealed.length; at++) {
      const changed = sealed.map((byte, i) => (i === at ? byte ^ 1 : byte));
      expect(() => sealer().open(place, changed)).toThrow('does not open');
      expect(() => sealer().open(place, sealed.slice(0, at))).toThrow('does not open');
    }
  });

  it('takes a key of 32 bytes and keeps its own copy', () => {
    expect(() => sealer({ stationKey: new Uint8Array(31) })).toThrow(RangeError);
    const stationKey = bytesFrom('station key');
    const one = sealer({ stationKey });
    stationKey.fill(0);
    expect(sealer().open(place, one.seal(place, secret))).toEqual(secret);
  });
});
