/**
 * What contradicts a stored payment is kept beside it, as its makers signed it: the same
 * transaction with other content (failure 5), a second payment with its coin (failure 20), which
 * the payer's card signed and the issuer admitted, and a second verdict of the last station.
 */
import { equalBytes, toHex } from '../../applet-spec/bytes.ts';
import { coin as coinKind, coinIssuedSeconds, type Coin } from '../../applet-spec/coin.ts';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import type { StationName } from '../../applet-spec/names.ts';
import {
  payment as paymentCodec,
  verifyPayerSignature,
  withoutCertificate,
} from '../../applet-spec/payment.ts';
import type { Receipt } from '../../applet-spec/receipt.ts';
import type { PaymentRow } from '../store/store.ts';
import { wireMessage, type WireMessage } from '../wire/wire-message.ts';
import type { ArrivingPayment } from './payment-check.ts';
import { storedPayment, type TollContext } from './toll-context.ts';

type Handed = Extract<WireMessage, { kind: 'payment' }>['content'];
type Keeping = Pick<TollContext, 'store' | 'log'>;

/**
 * Another valid signature of the payer under one ID is the same payment (design §7). What else may
 * differ under it and carry a signature is the coin: its issuer made two of one ID.
 */
export async function keepContradiction(
  context: Keeping & Pick<TollContext, 'directory'>,
  peer: StationName,
  known: PaymentRow,
  handed: Handed,
): Promise<void> {
  const { payerSignature, coin } = storedPayment(known);
  const same = { ...withoutCertificate(handed.payment), payerSignature };
  if (equalBytes(paymentCodec.encode(same), known.payment)) return;
  context.log.notice('warn', known.paymentId, 'it came again with other content', { peer });
  const { coin: other } = handed.payment;
  if (equalBytes(other.bytes, coin.bytes) || !isIssued(context, other)) return;
  await keepEvidence(context, known.paymentId, handed);
}

/** What nobody signed proves nothing, and would take the room of what does. */
function isIssued({ directory }: Pick<TollContext, 'directory'>, one: Coin): boolean {
  const { issuer, coinId } = one.body;
  return directory
    .keysAt(issuer, 'station-coin', coinIssuedSeconds(coinId))
    .some((key) => coinKind.verify(one, key));
}

export async function keepEvidence(
  context: Keeping,
  paymentId: Uint8Array,
  { payment, admission }: Handed,
): Promise<void> {
  const content = { payment: withoutCertificate(payment), admission };
  await keep(context, paymentId, wireMessage.encode({ kind: 'payment', content }));
}

/**
 * What the operator should know of a payment with a coin that is spent, returned or expired. Where
 * another payment had the coin, the card was copied or is broken: whether it made this signature,
 * too, tells which.
 */
export async function noteSpentAgain(
  { store, primitives, log }: Pick<TollContext, 'store' | 'primitives' | 'log'>,
  { paymentId, payment }: ArrivingPayment,
): Promise<void> {
  const user = payment.quote.payer;
  const [coin] = await store.coins([payment.coin.body.coinId]);
  if (coin?.paymentId === undefined) {
    log.notice('warn', paymentId, 'its coin was given back or has expired', { user });
    return;
  }
  const { payerCertificate } = payment;
  const isSigned =
    payerCertificate !== undefined &&
    verifyPayerSignature(
      payment,
      primitives.verifyingKey(parseCertificate(payerCertificate).publicKey),
    );
  log.notice('warn', paymentId, 'its card had paid with this coin before', {
    user,
    first: toHex(coin.paymentId),
    signature: isSigned ? 'holds' : 'does not hold',
  });
}

/** The first one stands (I31); the last station signed another one, too. */
export async function keepSecondVerdict(context: Keeping, { body, bytes }: Receipt): Promise<void> {
  await keep(context, body.paymentId, bytes);
}

async function keep({ store }: Keeping, paymentId: Uint8Array, bytes: Uint8Array): Promise<void> {
  await store.putEvidence([{ paymentId, bytes }]);
}
