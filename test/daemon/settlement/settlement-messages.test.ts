import { describe, expect, it } from 'vitest';
import { headNow, toStationName } from '../../../applet-spec/names.ts';
import { admission, receipt } from '../../../applet-spec/receipt.ts';
import {
  claimsMost,
  redemptionIdOf,
  settlementWord,
} from '../../../daemon/settlement/settlement-messages.ts';
import { opensslPrimitives as primitives } from '../../../daemon/openssl-primitives.ts';
import { question } from '../../../daemon/wire/wire-message.ts';

const longName = toStationName('a-station-with-a-name-as-long-32');
const most = 2n ** 64n - 1n;
const documentKey = primitives.signingKey(new Uint8Array(32).fill(7));
const paymentId = new Uint8Array(32).fill(0xff);

/** As much as a claim can hold: long names, big numbers, the last leaf of a full batch. */
function longestClaim() {
  const path = Array.from({ length: 6 }, () => new Uint8Array(32));
  const proof = { index: 63, size: 64, path, signature: new Uint8Array(64) };
  const head = { ...headNow, paymentId, time: most };
  const acknowledgement = new Uint8Array(64);
  const ending = { verdict: 'delivered', acknowledgement } as const;
  return {
    paymentId,
    line: 15,
    amount: most,
    admission: admission.prove({ ...head, issuer: longName }, proof),
    receipt: receipt.prove({ ...head, station: longName, ...ending }, proof),
  };
}

describe('a settlement word', () => {
  it('holds a full page of the longest claims within one question', () => {
    const claims = Array.from({ length: claimsMost }, longestClaim);
    const network = 'n'.repeat(32);
    const nonce = new Uint8Array(16);
    const content = { kind: 'claims', content: { sequence: most, claims } } as const;
    const body = { ...headNow, network, from: longName, to: longName, nonce, content };
    const word = settlementWord.sign(body, documentKey);
    const bytes = question.encode({ kind: 'settlement', content: word.bytes });
    expect(bytes.length).toBeLessThan(65_000);
    const decoded = question.decode(bytes);
    if (decoded.kind !== 'settlement') throw new Error(decoded.kind);
    const again = settlementWord.decode(decoded.content);
    expect(again.body).toEqual(body);
    expect(settlementWord.verify(again, documentKey)).toBe(true);
  });

  it('does not verify once a byte of it has changed', () => {
    const content = { kind: 'greeting', content: {} } as const;
    const nonce = new Uint8Array(16);
    const body = { ...headNow, network: 'n', from: longName, to: longName, nonce, content };
    const { bytes } = settlementWord.sign(body, documentKey);
    // In the nonce, and in the signature.
    for (const at of [bytes.length - 80, bytes.length - 1]) {
      const changed = bytes.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(settlementWord.verify(settlementWord.decode(changed), documentKey)).toBe(false);
    }
  });

  it('names a claim by payment and claimant alone', () => {
    const other = toStationName('q2');
    const mine = redemptionIdOf(primitives, paymentId, longName);
    expect(redemptionIdOf(primitives, paymentId, longName)).toEqual(mine);
    expect(redemptionIdOf(primitives, paymentId, other)).not.toEqual(mine);
    expect(redemptionIdOf(primitives, new Uint8Array(32), longName)).not.toEqual(mine);
  });
});
