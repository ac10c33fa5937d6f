/** The payment that opens `applet-spec/card.md`: always the same bytes, from the running card. */
import { concatBytes, toHex } from '../../../applet-spec/bytes.ts';
import { cardResults } from '../../../applet-spec/commands.ts';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import { deriveSessionKeys } from '../../../applet-spec/scp03-keys.ts';
import { coinOf, quoteDigest, quoteOf, transactionOf } from '../../contract/applet-papers.ts';
import { load, pay, Subject } from '../../contract/applet-subject.ts';
import { cardUnderTest } from './card-bench.ts';

/** Name → bytes in hexadecimal, in the order of the page. */
export async function examplePayment(): Promise<ReadonlyMap<string, string>> {
  const subject = new Subject(cardUnderTest('t1-short'));
  await load(await subject.enrol(), coinOf(1));
  const station = await subject.connect();
  const quoteBytes = quoteOf(1);
  const before = subject.wire.length;
  const { result, payload } = await pay(station, quoteBytes, 0);
  const { greeting, challenge } = station;
  const session = deriveSessionKeys(primitives, subject.keys, challenge, greeting.cardChallenge);
  const { bytes, paymentId } = transactionOf(quoteBytes, coinOf(1), subject.certificate);
  const wire = subject.wire.slice(before).map(toHex);
  const lines: readonly (readonly [string, Uint8Array])[] = [
    ['S-ENC', session.sEnc],
    ['S-MAC', session.sMac],
    ['S-RMAC', session.sRmac],
    ['quote', quoteBytes],
    ['quote digest', quoteDigest(quoteBytes)],
    ['transaction', bytes],
    ['payment ID', paymentId],
    ['answer inside', concatBytes(Uint8Array.of(cardResults[result]), payload)],
  ];
  return new Map([
    ...lines.map(([name, value]) => [name, toHex(value)] as const),
    ...wire.map((apdu, i) => [`APDU ${i + 1}`, apdu] as const),
  ]);
}
