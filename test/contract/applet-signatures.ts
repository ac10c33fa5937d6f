import { expect, it } from 'vitest';
import { concatBytes } from '../../applet-spec/bytes.ts';
import { signatureCheck, type SignatureCheck } from '../../applet-spec/card-objects.ts';
import { labels } from '../../applet-spec/labels.ts';
import { limits } from '../../applet-spec/limits.ts';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import { bob, coinOf, lastKey, q2, quoteOf, strangerKey, transactionOf } from './applet-papers.ts';
import {
  acknowledgementSignature,
  blank,
  load,
  offered,
  paid,
  type MakeBlankCard,
  type Subject,
} from './applet-subject.ts';

/** What a card says of signatures that it made under certificates of before. */
export function describeSignatures(make: MakeBlankCard): void {
  it('S6: knows what it signed before its certificate was renewed', async () => {
    const { subject, asked } = await payerOf(make);
    await subject.certify(await subject.connect());
    expect(await answers(subject, asked)).toEqual({ sw: 0x9000, own: 1 });
    const forged = strangerKey.sign(concatBytes(labels.transaction, asked.transaction));
    expect(await answers(subject, { ...asked, signature: forged })).toEqual({ sw: 0x9000, own: 0 });
    const stranger = new Uint8Array(300);
    const { bytes: transaction } = transactionOf(quoteOf(1), coinOf(1), stranger);
    expect(await answers(subject, { ...asked, transaction })).toMatchObject({ sw: 0x6a88 });
  });

  it('S6: knows what it acknowledged under each certificate, and tells them apart', async () => {
    const subject = await blank(make);
    const profile = { user: bob, homeStation: q2, homeStationKey: lastKey.publicKey };
    const station = await subject.enrol(profile);
    const payerCertificate = new Uint8Array(300).fill(3);
    const { bytes, paymentId } = transactionOf(quoteOf(1), coinOf(1), payerCertificate);
    const signature = acknowledgementSignature(await offered(station, bytes, coinOf(1).secret));
    const before = primitives.sha256(subject.certificate);
    await subject.certify(station);
    const now = primitives.sha256(subject.certificate);
    const ask = (certificate: Uint8Array) =>
      answers(subject, { paymentId, certificate, signature });
    expect(await ask(before)).toEqual({ sw: 0x9000, own: 1 });
    expect(await ask(now)).toEqual({ sw: 0x9000, own: 0 });
    expect(await answers(subject, { paymentId, signature })).toEqual({ sw: 0x9000, own: 0 });
    expect(await ask(primitives.sha256(payerCertificate))).toMatchObject({ sw: 0x6a88 });
  });

  it('keeps the key of a certificate for which another came in its place', async () => {
    const { subject, asked } = await payerOf(make);
    const first = subject.certificate;
    const station = await subject.connect();
    // The same key, certified again, and the same certificate twice.
    for (const tail of [1, 1, 2]) {
      await station.done('putCertificate', concatBytes(first, new Uint8Array(tail)));
    }
    expect(await answers(subject, asked)).toEqual({ sw: 0x9000, own: 1 });
  });

  it('forgets the key that it used longest ago, and is asked no more of it', async () => {
    const { subject, asked } = await payerOf(make);
    const station = await subject.connect();
    for (let n = 0; n < limits.cardFormerKeys; n++) await subject.certify(station);
    expect(await answers(subject, asked)).toEqual({ sw: 0x9000, own: 1 });
    await subject.certify(station);
    expect(await answers(subject, asked)).toMatchObject({ sw: 0x6a88 });
  });

  it('is asked of a transaction alone, or of a payment', async () => {
    const { subject, asked } = await payerOf(make);
    const { transaction, signature } = asked;
    const paymentId = new Uint8Array(32);
    const certificate = primitives.sha256(subject.certificate);
    const wrong: readonly SignatureCheck[] = [
      { signature },
      { certificate, signature },
      { transaction, paymentId, signature },
      { transaction, certificate, signature },
      { transaction, paymentId, certificate, signature },
    ];
    for (const one of wrong) expect(await answers(subject, one)).toMatchObject({ sw: 0x6a80 });
  });
}

async function payerOf(make: MakeBlankCard) {
  const subject = await blank(make);
  const station = await subject.enrol();
  await load(station, coinOf(1));
  const { signature } = await paid(station, quoteOf(1));
  const { bytes: transaction } = transactionOf(quoteOf(1), coinOf(1), subject.certificate);
  return { subject, asked: { transaction, signature } };
}

async function answers(
  { host }: Subject,
  asked: SignatureCheck,
): Promise<{ readonly sw: number; readonly own: number | undefined }> {
  const { sw, data } = await host.send('checkSignature', signatureCheck.encode(asked));
  return { sw, own: data[0] };
}
