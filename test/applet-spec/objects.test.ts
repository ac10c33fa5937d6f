import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex } from '../../applet-spec/bytes.ts';
import { coin, coinIssuedMs, commitmentOf, makeCoinId } from '../../applet-spec/coin.ts';
import { labels } from '../../applet-spec/labels.ts';
import { toStationName, toUserName } from '../../applet-spec/names.ts';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import {
  payment,
  paymentIdOf,
  transaction,
  verifyPayerSignature,
  withoutCertificate,
} from '../../applet-spec/payment.ts';
import { billTotal, quote } from '../../applet-spec/quote.ts';
import { acknowledgement } from '../../applet-spec/receipt.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';
import { objectKind, signerNamed, valueOf, vectors } from './object-vectors.ts';

const implementations = [
  { implementation: 'noble', primitives: noblePrimitives },
  { implementation: 'OpenSSL', primitives: opensslPrimitives },
];

describe('objects of another maker', () => {
  it.each(vectors.objects)('decodes $comment to its fields', (vector) => {
    const decoded = objectKind(vector.kind).decode(fromHex(vector.hex));
    expect(decoded.body).toEqual(valueOf(vector.body));
    expect(toHex(decoded.bodyBytes)).toBe(vector.bodyHex);
  });

  it.each(vectors.objects)('encodes $comment to the same bytes', (vector) => {
    const { whole, body } = objectKind(vector.kind).again(fromHex(vector.hex));
    expect(body && toHex(body)).toBe(vector.bodyHex);
    expect(toHex(whole)).toBe(vector.hex);
  });

  it.each(vectors.refused)('refuses $comment', ({ kind, hex, refusal, path }) => {
    const run = () => objectKind(kind).decode(fromHex(hex));
    expect(run).toThrow(TlvError);
    expect(faultOf(run)).toMatchObject({ code: refusal, path });
  });
});

describe.each(implementations)('signatures, by $implementation', ({ primitives }) => {
  it.each(vectors.objects)('verifies $comment under its signer alone', (vector) => {
    const kind = objectKind(vector.kind);
    const bytes = fromHex(vector.hex);
    for (const { comment, publicKey } of vectors.signers) {
      const key = primitives.verifyingKey(fromHex(publicKey));
      expect(kind.verify(primitives, bytes, key)).toBe(comment === vector.signer);
    }
  });

  it.each(vectors.highS)('does not verify $comment', (vector) => {
    const key = primitives.verifyingKey(signerNamed(vector.signer).publicKey);
    expect(objectKind(vector.kind).verify(primitives, fromHex(vector.hex), key)).toBe(false);
  });

  it.each(vectors.payments)('computes the names inside $comment', (vector) => {
    const found = payment.decode(fromHex(vector.hex));
    const { coinId, commitment } = found.coin.body;
    const secret = fromHex(vector.coinSecret);
    expect(toHex(commitmentOf(primitives, coinId, secret))).toBe(vector.commitment);
    expect(toHex(commitment)).toBe(vector.commitment);
    expect(toHex(quote.digest(primitives, found.quoteBytes))).toBe(vector.quoteDigest);
    expect(toHex(found.transaction.quoteDigest)).toBe(vector.quoteDigest);
    expect(toHex(paymentIdOf(primitives, found.transactionBytes))).toBe(vector.paymentId);
    const payer = primitives.verifyingKey(signerNamed(vector.signer).publicKey);
    expect(verifyPayerSignature(found, payer)).toBe(true);
    const stranger = primitives.verifyingKey(signerNamed("bob's card").publicKey);
    expect(verifyPayerSignature(found, stranger)).toBe(false);
  });
});

describe('signing', () => {
  it('gives the other maker’s coin, byte for byte', () => {
    const vector = vectorOf('a coin of 655.36 EUR');
    const { body } = coin.decode(fromHex(vector.hex));
    const key = noblePrimitives.signingKey(signerNamed(vector.signer).privateKey);
    const made = coin.sign(body, key);
    expect(toHex(made.bytes)).toBe(vector.hex);
    expect(made.body).toEqual(body);
    expect(toHex(made.bodyBytes)).toBe(vector.bodyHex);
  });

  it('joins an acknowledgement from its body and a card’s signature', () => {
    const vector = vectorOf("an acknowledgement by bob's card");
    const bodyBytes = fromHex(vector.bodyHex);
    const card = noblePrimitives.signingKey(signerNamed(vector.signer).privateKey);
    const signature = card.sign(concatBytes(labels.acknowledgement, bodyBytes));
    expect(toHex(acknowledgement.join(bodyBytes, signature).bytes)).toBe(vector.hex);
  });

  it('joins no body that no encoder writes', () => {
    const bodyBytes = fromHex(vectorOf("an acknowledgement by bob's card").bodyHex);
    const signature = new Uint8Array(64);
    for (const spoilt of [
      bodyBytes.subarray(1),
      bodyBytes.subarray(0, -1),
      concatBytes(bodyBytes, Uint8Array.of(0)),
      concatBytes(bodyBytes, bodyBytes),
    ]) {
      expect(() => acknowledgement.join(spoilt, signature)).toThrow(TlvError);
    }
    expect(() => acknowledgement.join(bodyBytes, signature.subarray(1))).toThrow(TlvError);
  });
});

describe('a payment', () => {
  it.each(vectors.payments)('is read and written: $comment', (vector) => {
    const found = payment.decode(fromHex(vector.hex));
    expect(found.transaction).toEqual(valueOf(vector.transaction));
    expect(toHex(transaction.encode(found.transaction))).toBe(vector.transactionHex);
    expect(toHex(found.payerSignature)).toBe(vector.payerSignature);
    expect(toHex(found.quoteBytes)).toBe(vector.quoteHex);
    expect(toHex(quote.body.encode(found.quote))).toBe(vector.quoteHex);
    expect(toHex(coin.encode(found.coin))).toBe(vector.coinHex);
    expect(found.payerCertificate && toHex(found.payerCertificate)).toBe(
      vector.certificate ?? undefined,
    );
    expect(String(billTotal(found.quote.bill))).toBe(vector.total);
    expect(toHex(payment.encode(found))).toBe(vector.hex);
  });

  it('is kept without the payer’s certificate, and is the same payment', () => {
    const [travelling, kept] = vectors.payments;
    const whole = payment.decode(fromHex(travelling?.hex ?? ''));
    expect(toHex(payment.encode(withoutCertificate(whole)))).toBe(kept?.hex);
    expect(Object.keys(withoutCertificate(whole))).not.toContain('payerCertificate');
    expect(travelling?.paymentId).toBe(kept?.paymentId);
  });
});

describe('the longest payment', () => {
  it('has sixteen stations with the longest names, and fits its fields', () => {
    const [vector] = vectors.payments;
    const found = payment.decode(fromHex(vector?.hex ?? ''));
    const most = (1n << 64n) - 1n;
    const home = 'q'.repeat(29);
    const user = toUserName(`${'u'.repeat(34)}@${home}`);
    const longest = {
      ...found.quote,
      network: 'n'.repeat(32),
      payer: user,
      payee: user,
      time: most,
      expiry: most,
      deliveryDeadline: most,
      resolutionDeadline: most,
      bill: Array.from({ length: 16 }, (_, i) => ({
        station: toStationName(`${'s'.repeat(30)}${String(10 + i)}`),
        fee: most,
        announcement: new Uint8Array(16),
      })),
    };
    const quoteBytes = quote.body.encode(longest);
    const bytes = payment.encode({ ...found, quote: longest, quoteBytes });
    expect(payment.decode(bytes).quote).toEqual(longest);
    const seventeen = { ...longest, bill: [...longest.bill, ...longest.bill.slice(0, 1)] };
    expect(() => quote.body.encode(seventeen)).toThrow(TlvError);
  });
});

describe('a coin ID', () => {
  it('begins with the time of issue, so that IDs sort by it', () => {
    const random = new Uint8Array(10).fill(0xff);
    const issuedMs = Date.UTC(2026, 8, 21);
    const coinId = makeCoinId(issuedMs, random);
    expect(coinId).toHaveLength(16);
    expect(coinIssuedMs(coinId)).toBe(issuedMs);
    expect(toHex(makeCoinId(issuedMs, random)) < toHex(makeCoinId(issuedMs + 1, random))).toBe(
      true,
    );
  });
});

describe('labels', () => {
  it('are no prefix of one another', () => {
    const all = Object.values(labels).map(toHex);
    for (const one of all) {
      expect(all.filter((other) => other.startsWith(one))).toEqual([one]);
    }
  });
});

function vectorOf(comment: string) {
  const vector = vectors.objects.find((each) => each.comment === comment);
  if (vector === undefined) throw new Error(`no vector: ${comment}`);
  return vector;
}

function faultOf(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
