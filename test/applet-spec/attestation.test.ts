import { describe, expect, it } from 'vitest';
import {
  attestAnswer,
  attestation,
  attestationRefusals,
  judgeAttestation,
  type AttestationQuestion,
} from '../../applet-spec/attestation.ts';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';
import vectors from '../../applet-spec/vectors/attestation.json' with { type: 'json' };
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';

interface QuestionVector {
  readonly answer: string;
  readonly makers: readonly string[];
  readonly now: number;
  readonly serial: string;
  readonly nonce: string;
  readonly publicKey: string;
}

const implementations = [
  { implementation: 'noble', primitives: noblePrimitives },
  { implementation: 'OpenSSL', primitives: opensslPrimitives },
];

describe.each(implementations)('attestations of another maker, by $implementation', (which) => {
  const { primitives } = which;

  it.each(vectors.accepted)('accepts $comment', (vector) => {
    expect(judgeAttestation(primitives, questionOf(vector))).toMatchObject({ ok: true });
  });

  it.each(vectors.refused)('refuses $comment', (vector) => {
    const verdict = judgeAttestation(primitives, questionOf(vector));
    expect(verdict).toMatchObject({ ok: false, reason: vector.expected });
    if (!verdict.ok) expect(verdict.detail).not.toBe('');
  });
});

describe('attestations', () => {
  it('have a vector for every refusal', () => {
    expect(new Set(vectors.refused.map(({ expected }) => expected))).toEqual(
      new Set(attestationRefusals),
    );
  });

  it('are decoded and encoded to the same bytes', () => {
    for (const { answer } of [...vectors.accepted, ...vectors.refused]) {
      const decoded = decodeElement(attestAnswer, fromHex(answer), 'answer');
      expect(toHex(attestAnswer.encode(decoded))).toBe(answer);
    }
  });

  it('are made as another maker makes them', () => {
    const [vector] = vectors.attestation;
    if (vector === undefined) throw new Error('no vector');
    const { body, bodyBytes } = attestation.decode(fromHex(vector.hex));
    expect(toHex(bodyBytes)).toBe(vector.body);
    const key = noblePrimitives.signingKey(fromHex(vector.deviceKey));
    expect(toHex(attestation.sign(body, key).bytes)).toBe(vector.hex);
  });

  it.each(vectors.malformed)('are refused with $comment', ({ answer, refusal }) => {
    expect(() => decodeElement(attestAnswer, fromHex(answer), 'answer')).toThrow(TlvError);
    expect(codeOf(() => decodeElement(attestAnswer, fromHex(answer), 'answer'))).toBe(refusal);
  });

  it('hold no more with any one bit changed', () => {
    const [vector] = vectors.accepted;
    if (vector === undefined) throw new Error('no vector');
    const { length } = fromHex(vector.answer);
    let read = 0;
    for (let at = 0; at < length; at += 7) {
      const bytes = fromHex(vector.answer);
      bytes[at] = (bytes[at] ?? 0) ^ 0x01;
      const question = readable({ ...vector, answer: toHex(bytes) });
      if (question === undefined) continue;
      read++;
      expect(judgeAttestation(opensslPrimitives, question).ok).toBe(false);
    }
    expect(read).toBeGreaterThan(50);
  });
});

function questionOf(vector: QuestionVector): AttestationQuestion {
  return {
    answer: decodeElement(attestAnswer, fromHex(vector.answer), 'answer'),
    makers: vector.makers.map((der) => parseCertificate(fromHex(der))),
    nowSeconds: BigInt(vector.now),
    serial: fromHex(vector.serial),
    nonce: fromHex(vector.nonce),
    publicKey: fromHex(vector.publicKey),
  };
}

function readable(vector: QuestionVector): AttestationQuestion | undefined {
  try {
    return questionOf(vector);
  } catch (error) {
    if (error instanceof TlvError) return undefined;
    throw error;
  }
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof TlvError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}
