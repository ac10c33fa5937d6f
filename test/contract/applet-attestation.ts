import { expect, it } from 'vitest';
import {
  attestAnswer,
  judgeAttestation,
  type AttestAnswer,
} from '../../applet-spec/attestation.ts';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import { generatedKey } from '../../applet-spec/card-objects.ts';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import { NotAuthentic, type TestStation } from './applet-host.ts';
import { certificateFor, noon } from './applet-papers.ts';
import {
  blank,
  pin,
  puk,
  Subject,
  type GenuineCard,
  type MakeBlankCard,
} from './applet-subject.ts';

export function describeAttestation(make: MakeBlankCard): void {
  it('attests the key pair that it has just made, over the station’s nonce', async () => {
    const card = await make();
    const subject = new Subject(card);
    const station = await initialised(subject);
    const publicKey = await newKey(station);
    for (const [length, fill] of [
      [16, 0xa1],
      [64, 0xa2],
    ] as const) {
      const nonce = new Uint8Array(length).fill(fill);
      const answer = await attested(station, nonce);
      expect(judged(card, answer, { nonce, publicKey })).toMatchObject({ ok: true });
      const other = new Uint8Array(length).fill(0xa3);
      expect(judged(card, answer, { nonce: other, publicKey })).toMatchObject({
        reason: 'other-nonce',
      });
    }
  });

  it('attests the key in force, and a pending one before it', async () => {
    const card = await make();
    const subject = new Subject(card);
    const station = await subject.enrol();
    const nonce = new Uint8Array(32).fill(0xa4);
    const inForce = { nonce, publicKey: subject.publicKey };
    expect(judged(card, await attested(station, nonce), inForce)).toMatchObject({ ok: true });
    const publicKey = await newKey(station);
    const pending = await attested(station, nonce);
    expect(judged(card, pending, { nonce, publicKey })).toMatchObject({ ok: true });
    expect(judged(card, pending, inForce)).toMatchObject({ reason: 'other-key' });
    await station.done('putCertificate', certificateFor(publicKey));
    const renewed = await attested(station, nonce);
    expect(judged(card, renewed, { nonce, publicKey })).toMatchObject({ ok: true });
  });

  it('has nothing to attest before it has made a key', async () => {
    const subject = await blank(make);
    const station = await initialised(subject);
    expect((await station.send('attest', new Uint8Array(16))).result).toBe('not-found');
  });

  it.each([0, 15, 65])('takes no nonce of %i bytes', async (length) => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await expect(station.send('attest', new Uint8Array(length))).rejects.toMatchObject(
      new NotAuthentic(0x6700),
    );
  });
}

async function initialised(subject: Subject): Promise<TestStation> {
  await subject.host.select();
  await subject.host.setReferences(pin, puk);
  return subject.connect();
}

async function newKey(station: TestStation): Promise<Uint8Array> {
  const made = await station.done('generateKeyPair', new Uint8Array(16));
  return decodeElement(generatedKey, made, 'generated key').publicKey;
}

async function attested(station: TestStation, nonce: Uint8Array): Promise<AttestAnswer> {
  return decodeElement(attestAnswer, await station.done('attest', nonce), 'answer to ATTEST');
}

function judged(
  card: GenuineCard,
  answer: AttestAnswer,
  known: { readonly nonce: Uint8Array; readonly publicKey: Uint8Array },
): ReturnType<typeof judgeAttestation> {
  const makers = [parseCertificate(card.makerRoot)];
  const { serial } = card.delivery;
  return judgeAttestation(primitives, { answer, makers, nowSeconds: noon, serial, ...known });
}
