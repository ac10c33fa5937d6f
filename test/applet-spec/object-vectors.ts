/** The vectors of objects, as values of the codecs. */
import { fromHex } from '../../applet-spec/bytes.ts';
import { coin } from '../../applet-spec/coin.ts';
import type { VerifyingKey, Primitives } from '../../applet-spec/primitives.ts';
import { payment, transaction } from '../../applet-spec/payment.ts';
import { acceptance, quote } from '../../applet-spec/quote.ts';
import { acknowledgement, admission, receipt, refusal } from '../../applet-spec/receipt.ts';
import type { SignedKind, StatementKind } from '../../applet-spec/signed-object.ts';
import vectors from '../../applet-spec/vectors/objects.json' with { type: 'json' };

export { default as vectors } from '../../applet-spec/vectors/objects.json' with { type: 'json' };

/** What a test does with an object, whatever its kind. */
export interface ObjectKind {
  readonly name: string;
  decode(bytes: Uint8Array): { readonly body: unknown; readonly bodyBytes: Uint8Array };
  /** Decodes, and encodes anew from the values alone, body and whole. */
  again(bytes: Uint8Array): { readonly whole: Uint8Array; readonly body?: Uint8Array };
  /** Whether the object verifies; undefined where that is not one key's matter. */
  verify(primitives: Primitives, bytes: Uint8Array, key: VerifyingKey): boolean | undefined;
}

function signedObject<T>(kind: SignedKind<T>): ObjectKind {
  return {
    name: kind.name,
    decode: (bytes) => kind.decode(bytes),
    again(bytes) {
      const { body, signature } = kind.decode(bytes);
      const again = kind.body.encode(body);
      return { body: again, whole: kind.encode(kind.join(again, signature)) };
    },
    verify: (_primitives, bytes, key) => kind.verify(kind.decode(bytes), key),
  };
}

function statement<T>(kind: StatementKind<T>): ObjectKind {
  return {
    name: kind.name,
    decode: (bytes) => kind.decode(bytes),
    again(bytes) {
      const { body, proof } = kind.decode(bytes);
      const again = kind.prove(body, proof);
      return { body: again.bodyBytes, whole: kind.encode(again) };
    },
    verify: (primitives, bytes, key) => kind.verify(primitives, kind.decode(bytes), key),
  };
}

export const objectKinds: readonly ObjectKind[] = [
  signedObject(coin),
  signedObject(acceptance),
  signedObject(quote),
  statement(admission),
  signedObject(acknowledgement),
  statement(receipt),
  signedObject(refusal),
  {
    name: 'payment',
    decode(bytes) {
      const body = payment.decode(bytes);
      return { body, bodyBytes: body.transactionBytes };
    },
    again(bytes) {
      const found = payment.decode(bytes);
      const whole = payment.encode({
        ...found,
        transactionBytes: transaction.encode(found.transaction),
        quoteBytes: quote.body.encode(found.quote),
        coin: coin.join(coin.body.encode(found.coin.body), found.coin.signature),
      });
      return { whole };
    },
    verify: () => undefined,
  },
];

export function objectKind(name: string): ObjectKind {
  const kind = objectKinds.find((each) => each.name === name);
  if (kind === undefined) throw new Error(`no kind of object: ${name}`);
  return kind;
}

export function signerNamed(name: string): {
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
} {
  const signer = vectors.signers.find(({ comment }) => comment === name);
  if (signer === undefined) throw new Error(`no signer: ${name}`);
  return { privateKey: fromHex(signer.privateKey), publicKey: fromHex(signer.publicKey) };
}

/** A field as JSON holds it: `{ "hex" }` for bytes, `{ "uint" }` for numbers of any size. */
export function valueOf(shown: unknown): unknown {
  if (Array.isArray(shown)) return shown.map(valueOf);
  if (typeof shown !== 'object' || shown === null) return shown;
  const entries = Object.entries(shown);
  const [first] = entries;
  if (first?.[0] === 'hex') return fromHex(String(first[1]));
  if (first?.[0] === 'uint') return BigInt(String(first[1]));
  return Object.fromEntries(entries.map(([name, value]) => [name, valueOf(value)]));
}
