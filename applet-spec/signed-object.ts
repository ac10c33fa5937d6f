/**
 * Signed objects: the exact bytes received are kept, and verified over. `Signed` objects stand
 * alone under one signature; `Statement`s are leaves under one signed Merkle root, so that a
 * station signs a whole commit batch once (design §7). A batch of one is the same thing with an
 * empty path.
 */
import { concatBytes, copyBytes, uintToBytes } from './bytes.ts';
import { hashTree, pathLength, rootFromPath, type TreePath } from './hash-tree.ts';
import { labels, type Label } from './labels.ts';
import { limits } from './limits.ts';
import { signature } from './names.ts';
import type { Primitives, SigningKey, VerifyingKey } from './primitives.ts';
import {
  checked,
  decodeElement,
  element,
  encodeTlv,
  listOf,
  octets,
  readTlv,
  small,
  struct,
  type RequiredElement,
  type Value,
} from './tlv.ts';
import { TlvError } from './tlv-error.ts';

export interface Signed<T> {
  readonly body: T;
  /** The body's element, tag and length included: what was signed, after the label. */
  readonly bodyBytes: Uint8Array;
  readonly signature: Uint8Array;
  /** The whole object as received or made; `bodyBytes` may be a view on it. */
  readonly bytes: Uint8Array;
}

export interface SignedKind<T> extends RequiredElement<Signed<T>> {
  readonly name: string;
  readonly label: Label;
  readonly body: RequiredElement<T>;
  /** Encodes the body and signs it. */
  sign(body: T, key: SigningKey): Signed<T>;
  /** Joins a body's bytes and a signature made elsewhere, as by a card. Throws TlvError. */
  join(bodyBytes: Uint8Array, signatureBytes: Uint8Array): Signed<T>;
  verify(signed: Signed<T>, key: VerifyingKey): boolean;
  /** Throws TlvError. */
  decode(bytes: Uint8Array): Signed<T>;
  /** SHA-256(label ‖ body): what is signed, and how other objects name this one. */
  digest(primitives: Primitives, bodyBytes: Uint8Array): Uint8Array;
}

const bodyTag = 0xa0;
const bodyBytesMost = 0xffff;

/** The body as it stands in the object, to be read once its surroundings have been. */
const wholeBody: RequiredElement<Uint8Array> = {
  tag: bodyTag,
  optional: false,
  encode: (whole) => whole,
  decodeTlv(tlv) {
    const length = tlv.end - tlv.contentStart;
    if (length <= bodyBytesMost) return tlv.whole;
    const detail = `${length} bytes where 0 to ${bodyBytesMost} are allowed`;
    throw new TlvError('out-of-bounds', '', detail);
  },
};

const signatureElement = element(0x9e, signature);
const signedContent = struct({ body: wholeBody, signature: signatureElement });

export function signedKind<T>(
  name: string,
  tag: number,
  label: Label,
  body: Value<T>,
): SignedKind<T> {
  const bodyElement = element(bodyTag, body);
  /** Takes bytes that nobody else will change. */
  const decodeOwn = (bytes: Uint8Array, contentLength: number): Signed<T> => {
    const parts = signedContent.read(bytes, bytes.length - contentLength, bytes.length);
    return {
      body: bodyElement.decodeTlv(readTlv(parts.body, 0)),
      bodyBytes: parts.body,
      signature: parts.signature,
      bytes,
    };
  };
  const kind: SignedKind<T> = {
    name,
    tag,
    label,
    body: bodyElement,
    optional: false,
    encode: (signed) => signed.bytes,
    decodeTlv: (tlv) => decodeOwn(copyBytes(tlv.whole), tlv.end - tlv.contentStart),
    decode: (bytes) => decodeElement(kind, bytes, name),
    digest: (primitives, bodyBytes) => primitives.sha256(label, bodyBytes),
    join(bodyBytes, signatureBytes) {
      const content = concatBytes(bodyBytes, signatureElement.encode(signatureBytes));
      return decodeOwn(encodeTlv(tag, content), content.length);
    },
    sign(value, key) {
      const bodyBytes = bodyElement.encode(value);
      const signatureBytes = key.sign(concatBytes(label, bodyBytes));
      const content = concatBytes(bodyBytes, signatureElement.encode(signatureBytes));
      return {
        body: value,
        bodyBytes,
        signature: signatureBytes,
        bytes: encodeTlv(tag, content),
      };
    },
    verify: (signed, key) => key.verify(concatBytes(label, signed.bodyBytes), signed.signature),
  };
  return kind;
}

/** Where a leaf stands in its batch, and the hashes that lead from it to the signed root. */
export interface BatchProof extends TreePath {
  readonly signature: Uint8Array;
}

export interface Statement<T> {
  readonly body: T;
  readonly bodyBytes: Uint8Array;
  readonly proof: BatchProof;
  readonly bytes: Uint8Array;
}

export interface StatementKind<T> extends RequiredElement<Statement<T>> {
  readonly name: string;
  readonly label: Label;
  verify(primitives: Primitives, statement: Statement<T>, key: VerifyingKey): boolean;
  /** Throws TlvError. */
  decode(bytes: Uint8Array): Statement<T>;
  /** A leaf that waits for its batch to be signed. */
  leaf(primitives: Primitives, body: T): Leaf;
  /** The statement of a leaf, once `signBatch` has given its proof. */
  prove(body: T, proof: BatchProof): Statement<T>;
}

export interface Leaf {
  readonly hash: Uint8Array;
}

const proofValue = checked(
  struct({
    index: element(0x80, small(limits.batchStatements - 1)),
    size: element(0x81, small(limits.batchStatements, 1)),
    path: element(0xa2, listOf(element(0x80, octets(32)), 0, limits.batchPathHashes)),
    signature: signatureElement,
  }),
  ({ index, size, path }) =>
    pathLength(index, size) === path.length
      ? undefined
      : `a path of ${path.length} hashes for statement ${index} of ${size}`,
);
const proofElement = element(0xa1, proofValue);
const statementContent = struct({ body: wholeBody, proof: proofElement });

export function statementKind<T>(
  name: string,
  tag: number,
  label: Label,
  body: Value<T>,
): StatementKind<T> {
  const bodyElement = element(bodyTag, body);
  const leafHash = (primitives: Primitives, bodyBytes: Uint8Array): Uint8Array =>
    primitives.sha256(leafPrefix, label, bodyBytes);
  const kind: StatementKind<T> = {
    name,
    tag,
    label,
    optional: false,
    encode: (statement) => statement.bytes,
    decodeTlv(tlv) {
      const bytes = copyBytes(tlv.whole);
      const contentStart = bytes.length - (tlv.end - tlv.contentStart);
      const parts = statementContent.read(bytes, contentStart, bytes.length);
      return {
        body: bodyElement.decodeTlv(readTlv(parts.body, 0)),
        bodyBytes: parts.body,
        proof: parts.proof,
        bytes,
      };
    },
    decode: (bytes) => decodeElement(kind, bytes, name),
    leaf: (primitives, value) => ({ hash: leafHash(primitives, bodyElement.encode(value)) }),
    prove(value, proof) {
      const bodyBytes = bodyElement.encode(value);
      const content = concatBytes(bodyBytes, proofElement.encode(proof));
      return { body: value, bodyBytes, proof, bytes: encodeTlv(tag, content) };
    },
    verify(primitives, statement, key) {
      const leaf = leafHash(primitives, statement.bodyBytes);
      const root = rootFromPath(primitives, leaf, statement.proof);
      if (root === undefined) return false;
      return key.verify(batchMessage(root, statement.proof.size), statement.proof.signature);
    },
  };
  return kind;
}

/** RFC 6962 §2.1: no leaf's hash is a node's. */
const leafPrefix = Uint8Array.of(0);

/** One signature for up to 64 leaves of any kinds; the proofs come in the order of the leaves. */
export function signBatch(
  primitives: Primitives,
  leaves: readonly Leaf[],
  key: SigningKey,
): BatchProof[] {
  if (leaves.length === 0 || leaves.length > limits.batchStatements) {
    throw new RangeError(`a batch of ${leaves.length} statements; 1 to ${limits.batchStatements}`);
  }
  const tree = hashTree(
    primitives,
    leaves.map((leaf) => leaf.hash),
  );
  const size = leaves.length;
  const signatureBytes = key.sign(batchMessage(tree.root, size));
  return tree.paths.map((path, index) => ({ index, size, path, signature: signatureBytes }));
}

function batchMessage(root: Uint8Array, size: number): Uint8Array {
  return concatBytes(labels.batch, uintToBytes(BigInt(size), 4), root);
}
