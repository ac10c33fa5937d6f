import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex, uintToBytes } from '../../applet-spec/bytes.ts';
import { coin } from '../../applet-spec/coin.ts';
import { hashTree, rootFromPath } from '../../applet-spec/hash-tree.ts';
import { headNow, toStationName } from '../../applet-spec/names.ts';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import type { SigningKey } from '../../applet-spec/primitives.ts';
import { admission, receipt, refusal, type AdmissionBody } from '../../applet-spec/receipt.ts';
import { signBatch, type BatchProof } from '../../applet-spec/signed-object.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';
import vectors from '../../applet-spec/vectors/objects.json' with { type: 'json' };
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';

const primitives = opensslPrimitives;
const station = toStationName('q1');
const signer = primitives.signingKey(new Uint8Array(32).fill(5));

function bodyOf(number: number): AdmissionBody {
  const paymentId = primitives.sha256(uintToBytes(BigInt(number), 4));
  return { ...headNow, paymentId, issuer: station, time: 1_790_000_000n };
}

function batchOf(count: number, key: SigningKey = signer) {
  const bodies = Array.from({ length: count }, (_, i) => bodyOf(i));
  const leaves = bodies.map((body) => admission.leaf(primitives, body));
  const proofs = signBatch(primitives, leaves, key);
  return bodies.map((body, i) => admission.prove(body, at(proofs, i)));
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`no item ${index}`);
  return item;
}

describe('statements of one batch', () => {
  it('all verify, for each size from 1 to 64, and decode to themselves', () => {
    for (let size = 1; size <= 64; size++) {
      const statements = batchOf(size);
      expect(statements).toHaveLength(size);
      for (const statement of statements) {
        expect(admission.verify(primitives, statement, signer)).toBe(true);
        expect(admission.decode(statement.bytes)).toEqual(statement);
      }
    }
  });

  it('share one signature', () => {
    let signed = 0;
    const counting = {
      ...signer,
      sign(message: Uint8Array) {
        signed++;
        return signer.sign(message);
      },
    };
    expect(batchOf(64, counting)).toHaveLength(64);
    expect(signed).toBe(1);
  });

  it('prove no other statement, place or size', () => {
    for (const size of [1, 2, 3, 5, 8, 13]) {
      const statements = batchOf(size);
      const leaves = statements.map(({ body }) => admission.leaf(primitives, body).hash);
      const { root } = hashTree(primitives, leaves);
      statements.forEach(({ proof }, i) => {
        leaves.forEach((leaf, j) => {
          const found = rootFromPath(primitives, leaf, proof);
          expect(found !== undefined && toHex(found) === toHex(root)).toBe(i === j);
        });
        for (let index = 0; index < 16; index++) {
          for (let claimed = 1; claimed <= 16; claimed++) {
            if (index === i && claimed === size) continue;
            const statement = { ...at(statements, i), proof: { ...proof, index, size: claimed } };
            expect(admission.verify(primitives, statement, signer)).toBe(false);
          }
        }
      });
    }
  });

  it('do not verify after a change of any bit of path or signature', () => {
    const statement = at(batchOf(7), 4);
    fc.assert(
      fc.property(fc.nat(3), fc.nat(31), fc.nat(7), (which, byte, bit) => {
        const { path, signature } = statement.proof;
        const flip = (bytes: Uint8Array) =>
          bytes.map((value, i) => (i === byte ? value ^ (1 << bit) : value));
        const proof: BatchProof = {
          ...statement.proof,
          path: path.map((each, i) => (i === which ? flip(each) : each)),
          signature: which === 3 ? flip(signature) : signature,
        };
        expect(admission.verify(primitives, { ...statement, proof }, signer)).toBe(false);
      }),
    );
  });

  it('are of their own kind: an admission’s proof serves no receipt', () => {
    const statement = at(batchOf(1), 0);
    const moved = { ...statement, body: receiptBody() };
    expect(receipt.verify(primitives, moved, signer)).toBe(false);
    expect(() => receipt.decode(statement.bytes)).toThrow(TlvError);
  });

  it('may be of several kinds in one batch', () => {
    const leaves = [admission.leaf(primitives, bodyOf(1)), receipt.leaf(primitives, receiptBody())];
    const [first, second] = signBatch(primitives, leaves, signer);
    if (first === undefined || second === undefined) throw new Error('two proofs');
    const admitted = admission.prove(bodyOf(1), first);
    expect(admission.verify(primitives, admitted, signer)).toBe(true);
    const received = receipt.prove(receiptBody(), second);
    expect(receipt.verify(noblePrimitives, received, signer)).toBe(true);
  });

  it('number 1 to 64', () => {
    expect(() => signBatch(primitives, [], signer)).toThrow(RangeError);
    const leaf = admission.leaf(primitives, bodyOf(0));
    const many = Array.from({ length: 65 }, () => leaf);
    expect(() => signBatch(primitives, many, signer)).toThrow(RangeError);
  });
});

describe('the hash tree', () => {
  it.each(vectors.trees)('is RFC 6962’s: $comment', ({ leaves, root, paths }) => {
    const hashes = leaves.map(fromHex);
    for (const each of [noblePrimitives, opensslPrimitives]) {
      const tree = hashTree(each, hashes);
      expect(toHex(tree.root)).toBe(root);
      expect(tree.paths.map((path) => path.map(toHex))).toEqual(paths);
    }
    paths.forEach((path, index) => {
      const proof = { index, size: leaves.length, path: path.map(fromHex) };
      const found = rootFromPath(primitives, at(hashes, index), proof);
      expect(found && toHex(found)).toBe(root);
    });
  });

  it('has paths of the one length that place and size ask for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.nat(63), fc.nat(8), (size, index, length) => {
        const leaves = Array.from({ length: size }, (_, i) => bodyOf(i).paymentId);
        const own = hashTree(primitives, leaves).paths[index]?.length;
        const path = Array.from({ length }, () => new Uint8Array(32));
        const found = rootFromPath(primitives, bodyOf(0).paymentId, { index, size, path });
        expect(found !== undefined).toBe(own === length);
      }),
    );
  });

  it('has no tree of no leaves', () => {
    expect(() => hashTree(primitives, [])).toThrow(RangeError);
  });
});

describe('a signed object', () => {
  const body = {
    ...headNow,
    paymentId: bodyOf(0).paymentId,
    station,
    reason: 'no-keys' as const,
    time: 1n,
  };

  it('verifies under its signer’s key, and decodes to itself', () => {
    const signed = refusal.sign(body, signer);
    expect(refusal.verify(signed, signer)).toBe(true);
    expect(refusal.verify(signed, noblePrimitives.verifyingKey(signer.publicKey))).toBe(true);
    expect(refusal.decode(signed.bytes)).toEqual(signed);
    const stranger = primitives.signingKey(new Uint8Array(32).fill(6));
    expect(refusal.verify(signed, stranger)).toBe(false);
  });

  it('does not verify after a change of any bit of its body', () => {
    const signed = refusal.sign(body, signer);
    for (let bit = 0; bit < 8 * signed.bodyBytes.length; bit++) {
      const bodyBytes = signed.bodyBytes.map((byte, i) =>
        i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte,
      );
      expect(refusal.verify({ ...signed, bodyBytes }, signer)).toBe(false);
    }
  });

  it('is of its own kind: the same signature serves no other', () => {
    const signed = refusal.sign(body, signer);
    const bytes = signed.bytes.slice();
    bytes[0] = coin.tag;
    expect(() => coin.decode(bytes)).toThrow(TlvError);
    const digest = toHex(refusal.digest(primitives, signed.bodyBytes));
    expect(toHex(coin.digest(primitives, signed.bodyBytes))).not.toBe(digest);
  });

  it('is verified over the bytes received, which nobody changes behind its back', () => {
    const received = refusal.sign(body, signer).bytes.slice();
    const signed = refusal.decode(received);
    received.fill(0);
    expect(refusal.verify(signed, signer)).toBe(true);
    expect(refusal.decode(refusal.encode(signed))).toEqual(signed);
  });
});

function receiptBody() {
  return {
    ...headNow,
    paymentId: bodyOf(0).paymentId,
    station,
    verdict: 'undelivered' as const,
    reason: 'payee-absent' as const,
    time: 1n,
  };
}
