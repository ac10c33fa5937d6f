import { equalBytes } from '../../applet-spec/bytes.ts';
import type { Role } from '../../applet-spec/card-objects.ts';
import { coin, coinIssuedSeconds, type Coin } from '../../applet-spec/coin.ts';
import type { OrderLine, PaymentRecord } from '../../applet-spec/desk-messages.ts';
import type { Currency, StationName, UserName } from '../../applet-spec/names.ts';
import { paymentIdOf } from '../../applet-spec/payment.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import { billTotal, quote } from '../../applet-spec/quote.ts';
import { admission, receipt, refusal } from '../../applet-spec/receipt.ts';
import { invalid } from './host-trust.ts';
import { signedBy, type StationKey } from './station-keys.ts';

/** The user's own station, its certificates checked for this connection. */
export interface HomeStation {
  readonly station: StationName;
  /** In use now and before; the ones in use first. */
  readonly documentKeys: readonly StationKey[];
  readonly coinKeys: readonly StationKey[];
  readonly user: UserName;
  readonly network: string;
  readonly currency: Currency;
}

/**
 * Public parts on arrival (S1): the issuer's signature, the issuer, network and currency. Throws
 * DeskError `evidence-invalid`.
 */
export function checkCoins(coins: readonly Coin[], home: HomeStation): void {
  for (const one of coins) {
    const { issuer, network, currency } = one.body;
    require(issuer === home.station, 'a coin: its issuer is another station');
    require(network === home.network, 'a coin: it is of another network');
    require(currency === home.currency, 'a coin: it is of another currency');
    require(isOfHome(one, home), "a coin: its issuer's signature does not verify");
  }
}

/** What an order brought is what it was for, coin by coin. Throws DeskError `evidence-invalid`. */
export function checkOrdered(coins: readonly Coin[], lines: readonly OrderLine[]): void {
  const wanted = new Map<bigint, number>();
  for (const { value, count } of lines) wanted.set(value, (wanted.get(value) ?? 0) + count);
  for (const { body } of coins) wanted.set(body.value, (wanted.get(body.value) ?? 0) - 1);
  const fits = [...wanted.values()].every((left) => left === 0);
  require(fits, 'an order: the coins that came are not the ones that were ordered');
}

/** The coin in a burned one’s place is worth as much. Throws DeskError `evidence-invalid`. */
export function checkReplacement({ payment, standing }: PaymentRecord, replacement: Coin): void {
  const isEqual = replacement.body.value === payment.coin.body.value;
  require(isEqual, 'a replacement: it is not worth as much as the coin that was burned');
  require(standing !== 'delivered', 'a replacement: its payment was delivered');
}

/**
 * A payment's record on arrival: all its parts are about one payment of this user's, and what
 * stations say in it carries their signatures. What a payee cannot check (the payer's station's
 * words) its own station and card have. Returns the user's role. Throws DeskError
 * `evidence-invalid`.
 */
export function checkRecord(
  record: PaymentRecord,
  home: HomeStation,
  primitives: Primitives,
): { readonly role: Role; readonly paymentId: Uint8Array } {
  const { payment } = record;
  const terms = payment.quote;
  const paymentId = paymentIdOf(primitives, payment.transactionBytes);
  const role = terms.payer === home.user ? 'payer' : 'payee';
  require(role === 'payer' || terms.payee === home.user, "a payment: it is another user's");
  requirePaymentAdds(record, primitives);
  require(terms.network === home.network, 'a payment: it is of another network');
  const ends = { payer: terms.bill[0]?.station, payee: terms.bill.at(-1)?.station };
  require(ends[role] === home.station, 'a payment: its route does not pass our station');
  if (role === 'payer') requireIssuersWords(record, paymentId, home, primitives);
  else {
    const ours = signedBy(home.documentKeys, terms.time, ({ publicKey }) =>
      equalBytes(terms.payeeStationKey, publicKey),
    );
    require(ours, "a payment: its payee station's key is not our station's");
  }
  requireVerdict(record, paymentId, primitives);
  return { role, paymentId };
}

function requirePaymentAdds({ payment }: PaymentRecord, primitives: Primitives): void {
  const { transaction } = payment;
  const paid = payment.coin.body;
  const quoteDigest = quote.digest(primitives, payment.quoteBytes);
  require(equalBytes(transaction.quoteDigest, quoteDigest), 'a payment: it is for another quote');
  require(equalBytes(transaction.coinId, paid.coinId), 'a payment: it names another coin');
  require(equalBytes(transaction.commitment, paid.commitment), 'a payment: its commitment differs');
  const total = billTotal(payment.quote.bill);
  const adds = transaction.coinValue === paid.value && paid.value === total;
  require(adds, "a payment: the coin's value is not the bill's sum");
}

/** Revoked keys included: what such a coin is good for, the station says when it is used. */
function isOfHome(one: Coin, { coinKeys }: HomeStation): boolean {
  return signedBy(coinKeys, coinIssuedSeconds(one.body.coinId), (key) => coin.verify(one, key));
}

/** Admission and refusal come from the issuer, which is the payer's own station. */
function requireIssuersWords(
  record: PaymentRecord,
  paymentId: Uint8Array,
  home: HomeStation,
  primitives: Primitives,
): void {
  const { admission: admitted, refusal: refused } = record;
  const signed = isOfHome(record.payment.coin, home);
  require(signed, "a payment: the issuer's signature on its coin does not verify");
  if (admitted !== undefined) {
    require(equalBytes(admitted.body.paymentId, paymentId), 'an admission: of another payment');
    require(admitted.body.issuer === home.station, 'an admission: of another issuer');
    const holds = signedBy(home.documentKeys, admitted.body.time, (key) =>
      admission.verify(primitives, admitted, key),
    );
    require(holds, 'an admission: its signature does not verify');
  }
  if (refused !== undefined) {
    require(equalBytes(refused.body.paymentId, paymentId), 'a refusal: of another payment');
    require(refused.body.station === home.station, 'a refusal: of another station');
    const holds = signedBy(home.documentKeys, refused.body.time, (key) =>
      refusal.verify(refused, key),
    );
    require(holds, 'a refusal: its signature does not verify');
  }
}

/** The receipt stands under the key that the quote named for the last station. */
function requireVerdict(
  record: PaymentRecord,
  paymentId: Uint8Array,
  primitives: Primitives,
): void {
  const { receipt: verdict, standing, payment } = record;
  if (verdict !== undefined) {
    const { body } = verdict;
    const last = payment.quote.bill.at(-1)?.station;
    require(equalBytes(body.paymentId, paymentId), 'a receipt: of another payment');
    require(body.station === last, 'a receipt: not of the last station');
    const key = primitives.verifyingKey(payment.quote.payeeStationKey);
    const holds = receipt.verify(primitives, verdict, key);
    require(holds, 'a receipt: its signature does not verify');
  }
  const says = verdict?.body.verdict;
  if (standing === 'delivered' || standing === 'undelivered') {
    require(says === standing, `a payment: called ${standing} without such a receipt`);
  } else {
    require(says === undefined, `a payment: called ${standing}, though it has a receipt`);
  }
  if (standing === 'refused') {
    require(record.refusal !== undefined, 'a payment: called refused without a signed refusal');
  }
}

function require(holds: boolean, what: string): void {
  if (!holds) throw invalid(`the station sent ${what}`);
}
