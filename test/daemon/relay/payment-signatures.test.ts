import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseCertificate } from '../../../applet-spec/certificate.ts';
import { toCurrency } from '../../../applet-spec/names.ts';
import { checkPayment } from '../../../daemon/relay/payment-check.ts';
import { keyNamed, NetworkRoom, primitives } from '../network/network-room.ts';
import { alice, refusal, TollRoom, type Changes, type Place } from './toll-room.ts';

let toll: TollRoom;

beforeEach(async () => {
  toll = await TollRoom.open();
});
afterEach(() => {
  toll.close();
});

describe('the coin', () => {
  it('whose secret is not the one it commits to is refused', async () => {
    for (const check of await toll.everywhere({ secret: new Uint8Array(32) })) {
      expect(check).toEqual(refusal('commitment-mismatch', /not the one the coin commits to/));
    }
  });

  it('whose signature is not its issuer’s is refused', async () => {
    for (const check of await toll.everywhere({ coinKey: keyNamed('forger') })) {
      expect(check).toEqual(refusal('verification-failed', /coin’s signature/));
    }
  });

  it('signed with the issuer’s document key is refused', async () => {
    const { documentKey } = toll.stations.q1;
    expect(await toll.check('q2', { coinKey: documentKey })).toEqual(
      refusal('verification-failed', /coin’s signature/),
    );
  });

  it('of another issuer is refused', async () => {
    const { name, coinKey } = toll.stations.q2;
    for (const check of await toll.everywhere({ coin: { issuer: name }, coinKey })) {
      expect(check).toEqual(refusal('route-mismatch', /not the issuer/));
    }
  });

  it('that had expired when the quote was made is refused', async () => {
    for (const check of await toll.everywhere({ coin: { expiry: toll.now } })) {
      expect(check).toEqual(refusal('coin-not-unspent', /expired coin/));
    }
    expect(await toll.check('q2', { coin: { expiry: toll.now + 1n } })).toMatchObject({ ok: true });
  });

  it('of another currency is refused', async () => {
    expect(await toll.check('q1', { coin: { currency: toCurrency('CHF') } })).toEqual(
      refusal('verification-failed', /coin of CHF for EUR/),
    );
  });

  it('that the transaction does not name is refused', async () => {
    const others: NonNullable<Changes['transaction']>[] = [
      { coinId: new Uint8Array(16) },
      { coinValue: 122n },
      { commitment: new Uint8Array(32) },
    ];
    for (const transaction of others) {
      expect(await toll.check('q2', { transaction })).toEqual(
        refusal('verification-failed', /names another coin/),
      );
    }
  });
});

describe('the payer', () => {
  it('whose signature does not verify is refused', async () => {
    for (const check of await toll.everywhere({ payerKey: keyNamed('mallory') })) {
      expect(check).toEqual(refusal('verification-failed', /payer’s signature/));
    }
  });

  it('whose signature has one bit flipped is refused', async () => {
    const arriving = await toll.arriving('q2');
    const payerSignature = arriving.payment.payerSignature.slice();
    payerSignature[20] = (payerSignature[20] ?? 0) ^ 1;
    const payment = { ...arriving.payment, payerSignature };
    expect(await checkPayment(toll.context('q2'), { ...arriving, payment })).toEqual(
      refusal('verification-failed', /payer’s signature/),
    );
  });

  it('whose certificate was revoked is refused', async () => {
    await toll.room.ca.revoke(parseCertificate(toll.certificate).serialNumber);
    toll.trust.learnCrl(await toll.room.ca.freshCrl());
    for (const check of await toll.everywhere({})) {
      expect(check).toEqual(refusal('certificate-not-valid', /payer: revoked/));
    }
  });

  it('whose certificate has expired is refused', async () => {
    const request = { role: 'user', name: alice, publicKey: keyNamed(alice).publicKey } as const;
    const brief = await toll.room.ca.issue({ ...request, days: 1 });
    toll.room.clock.advance(86_401_000);
    toll.trust.learnCrl(await toll.room.ca.publishCrl());
    expect(await toll.check('q2', { certificate: brief })).toEqual(
      refusal('certificate-not-valid', /payer: expired/),
    );
  });

  it('whose certificate is of another CA is refused', async () => {
    const other = await NetworkRoom.open('another CA');
    const foreign = await other.ca.issueUser(keyNamed(alice).publicKey, alice);
    other.close();
    expect(await toll.check('q2', { certificate: foreign })).toEqual(
      refusal('certificate-not-valid', /payer: foreign/),
    );
  });

  it('whose certificate is another user’s is refused', async () => {
    const eve = await toll.room.ca.issueUser(keyNamed('eve').publicKey, 'eve@q1');
    const posing: Changes = { certificate: eve, payerKey: keyNamed('eve') };
    expect(await toll.check('q2', posing)).toEqual(
      refusal('certificate-not-valid', /payer: wrong-name/),
    );
  });

  it('whose certificate is not the one the transaction names is refused', async () => {
    const newer = await toll.room.ca.issueUser(keyNamed(alice).publicKey, alice);
    const payerCertificate = primitives.sha256(toll.certificate);
    const swapped: Changes = { certificate: newer, transaction: { payerCertificate } };
    expect(await toll.check('q2', swapped)).toEqual(
      refusal('certificate-not-valid', /names another certificate/),
    );
  });

  it('who sends no certificate is refused', async () => {
    expect(await toll.check('q2', { certificate: 'none' })).toEqual(
      refusal('certificate-not-valid', /missing/),
    );
  });
});

describe('a station without a fresh CRL', () => {
  it('refuses every payment', async () => {
    const arriving = await toll.arriving('q2');
    // A day for the list, an hour of grace; the payment's own deadlines are moved along.
    toll.room.clock.advance(1_000 * (86_400 + 3_600));
    const late = { ...toll.context('q2'), nowSeconds: () => arriving.payment.quote.time };
    expect(await checkPayment(late, arriving)).toEqual(
      refusal('certificate-not-valid', /no valid certificate/),
    );
  });
});

describe('the stations named in a payment', () => {
  it('the issuer: one whose certificate was revoked is refused', async () => {
    const { coinCertificate } = toll.stations.q1;
    const arriving = await toll.arriving('q3');
    await toll.room.ca.revoke(parseCertificate(coinCertificate).serialNumber);
    toll.trust.learnCrl(await toll.room.ca.freshCrl());
    expect(await checkPayment(toll.context('q3'), arriving)).toEqual(
      refusal('certificate-not-valid', /issuer or last station/),
    );
  });

  it('the last one: one whose certificate was revoked is refused', async () => {
    const { documentCertificate } = toll.stations.q3;
    const arriving = await toll.arriving('q2');
    await toll.room.ca.revoke(parseCertificate(documentCertificate).serialNumber);
    toll.trust.learnCrl(await toll.room.ca.freshCrl());
    expect(await checkPayment(toll.context('q2'), arriving)).toEqual(
      refusal('certificate-not-valid', /issuer or last station/),
    );
  });

  it('the last one: a key that is not its own is refused', async () => {
    const payeeStationKey = keyNamed('mallory').publicKey;
    for (const check of await toll.everywhere({ quote: { payeeStationKey } })) {
      expect(check).toEqual(refusal('verification-failed', /another key for q3/));
    }
  });
});

describe('a station that has two keys in force', () => {
  async function another(place: Place, role: 'station-coin' | 'station-document') {
    const { name } = toll.stations[place];
    const key = keyNamed(`the next key of ${name}`);
    const certificate = await toll.room.ca.issue({ role, name, publicKey: key.publicKey });
    return { key, certificate, learn: () => toll.directory.recall([certificate], name) };
  }

  it('is believed under either: coin, admission, and the key that the quote names', async () => {
    const [coin, document] = [
      await another('q1', 'station-coin'),
      await another('q1', 'station-document'),
    ];
    const last = await another('q3', 'station-document');
    const underNew: readonly Changes[] = [
      { coinKey: coin.key },
      { admissionKey: document.key },
      { quote: { payeeStationKey: last.key.publicKey } },
    ];
    for (const changes of underNew)
      expect(await toll.check('q2', changes)).toMatchObject({ ok: false });
    for (const { learn } of [coin, document, last]) learn();
    for (const changes of [{}, ...underNew]) {
      expect(await toll.check('q2', changes)).toMatchObject({ ok: true });
    }
  });

  it('of which one was revoked since: its coins are refused for that reason', async () => {
    const { key, certificate, learn } = await another('q1', 'station-coin');
    learn();
    await toll.room.ca.revoke(parseCertificate(certificate).serialNumber);
    toll.trust.learnCrl(await toll.room.ca.freshCrl());
    expect(await toll.check('q2', { coinKey: key })).toEqual(
      refusal('certificate-not-valid', /q1 signed the coin under a certificate now revoked/),
    );
    expect(await toll.check('q2')).toMatchObject({ ok: true });
  });
});

describe('the admission', () => {
  const refused = refusal('verification-failed', /admission does not hold/);

  it('is not needed at the issuer, which has yet to give it', async () => {
    expect((await toll.arriving('q1')).admission).toBeUndefined();
    expect(await toll.check('q1')).toMatchObject({ ok: true });
  });

  it('that is missing is refused', async () => {
    expect(await toll.check('q2', { admission: 'none' })).toEqual(refused);
  });

  it('with a wrong signature is refused', async () => {
    expect(await toll.check('q2', { admissionKey: keyNamed('mallory') })).toEqual(refused);
    const { coinKey } = toll.stations.q1;
    expect(await toll.check('q3', { admissionKey: coinKey })).toEqual(refused);
  });

  it('of another payment is refused', async () => {
    const paymentId = new Uint8Array(32);
    expect(await toll.check('q2', { admission: { paymentId } })).toEqual(refused);
  });

  it('of another station is refused', async () => {
    const { name, documentKey } = toll.stations.q2;
    const others: Changes = { admission: { issuer: name }, admissionKey: documentKey };
    expect(await toll.check('q3', others)).toEqual(refused);
    // Signed by the right station, and in the name of another.
    expect(await toll.check('q3', { admission: { issuer: name } })).toEqual(refused);
  });

  it('given after the quote had expired is refused', async () => {
    const late: Changes = { admission: { time: toll.now + 120n + 61n } };
    expect(await toll.check('q2', late)).toEqual(refusal('quote-expired', /admitted after/));
    const inTime: Changes = { admission: { time: toll.now + 120n + 60n } };
    expect(await toll.check('q2', inTime)).toMatchObject({ ok: true });
  });

  it('dated before its quote is refused: former keys would admit for ever', async () => {
    toll.room.clock.advance(3_600_000);
    const early: Changes = { admission: { time: toll.now - 61n } };
    for (const place of ['q2', 'q3'] as const) {
      expect(await toll.check(place, early)).toEqual(
        refusal('verification-failed', /admitted before the quote/),
      );
    }
    const skewed: Changes = { admission: { time: toll.now - 60n } };
    expect(await toll.check('q2', skewed)).toMatchObject({ ok: true });
  });
});
