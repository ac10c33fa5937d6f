import { equalBytes, fromHex, toHex } from '../../applet-spec/bytes.ts';
import { isoTime } from '../../applet-spec/iso-time.ts';
import { homeStation, type StationName } from '../../applet-spec/names.ts';
import { billTotal, type BillLine, type QuoteBody } from '../../applet-spec/quote.ts';
import { DeskError } from '../desk/desk-error.ts';
import type { DeskRefusal } from '../desk/desk-requests.ts';
import { invalid } from '../desk/host-trust.ts';
import { checkQuote } from '../desk/quote-check.ts';
import type { WalletCoin } from '../wallet/wallet-coins.ts';
import { WalletError } from '../wallet/wallet-error.ts';
import type { WalletPayment } from '../wallet/wallet-payments.ts';
import type { WalletQuote } from '../wallet/wallet-quotes.ts';
import { ErrandError, toErrandError, toUnknownOutcome, withWordsBefore } from './errand-error.ts';
import type { ErrandParams, ErrandResult } from './errands.ts';
import { granted } from './granted.ts';
import type { HomeDesk } from './home-desk.ts';
import type { Host } from './host.ts';
import { HostError } from './host-error.ts';
import { keepConnected } from './keep-connected.ts';
import { exchangeFor, held } from './order-errands.ts';
import { withdraw } from './withdraw.ts';

/** How far ahead of this machine's clock a station's may be, before one of them is wrong. */
const clockSkewSeconds = 300n;

/** S22 to S24: the station's offer, checked before anybody sees it. */
export async function quote(
  host: Host,
  asked: ErrandParams<'quote'>,
): Promise<ErrandResult<'quote'>> {
  requireNoEnd(asked, host.wallet.settings()?.account?.station);
  const desk = await host.desk();
  const reply = granted(await desk.link.quote(asked));
  const { user: payer, network, currency } = desk.home;
  const wish = { payer, network, currency, ...asked };
  const offered = checkQuote(reply, wish, desk.trust);
  requireSameTime(host, offered.quote.body);
  const kept = host.wallet.quotes.keep(offered, host.clock.nowMs());
  if (kept === undefined) throw invalid('the station gave a quote the ID of another quote');
  return describeQuote(host, kept);
}

/** No route leaves out the station that it begins or ends at, whoever asks for one. */
function requireNoEnd({ payee, avoid }: ErrandParams<'quote'>, ours?: StationName): void {
  const end = [ours, homeStation(payee)].find((one) => one !== undefined && avoid.includes(one));
  if (end === undefined) return;
  const words = `no route to ${payee} can leave ${end} out: it begins or ends there`;
  throw new HostError('bad-params', words);
}

export function showQuote(
  host: Host,
  { quoteId }: ErrandParams<'show-quote'>,
): ErrandResult<'show-quote'> {
  return describeQuote(host, requireQuote(host, quoteId));
}

/**
 * S31 to S39: authorises the quote on the card, has the desk pay it, and waits for the verdict.
 * Repeated for the same quote it is the same payment.
 */
export async function pay(
  host: Host,
  { quoteId, exchange, waitMs, atMost }: ErrandParams<'pay'>,
): Promise<ErrandResult<'pay'>> {
  const admitted = await host
    .inTurn(async () => {
      const desk = await host.desk();
      const found = requireQuote(host, quoteId);
      const before = host.wallet.payments.ofQuote(found.quoteDigest);
      requireCheap(found, before, atMost);
      return before ?? authoriseAndPay(host, desk, found, exchange);
    })
    .catch((error: unknown) => {
      // Whoever heard no answer can repeat it only by its name.
      const { failure } = toErrandError(error);
      if (failure.outcome !== 'unknown') throw error;
      const message = `${failure.message.replace(/[.\s]+$/, '')} (quote ${quoteId})`;
      throw new ErrandError({ ...failure, message }, error);
    });
  return describePayment(await awaitVerdict(host, admitted, waitMs));
}

/** Throws WalletError `wallet-not-set-up`: a folder that is no wallet has no payments to show. */
export function payments(host: Host): ErrandResult<'payments'> {
  host.wallet.requireSettings();
  return { payments: host.wallet.payments.all().map(describePayment) };
}

export function decided({ standing }: WalletPayment): boolean {
  return standing !== 'admitted' && standing !== 'relayed';
}

async function authoriseAndPay(
  host: Host,
  desk: HomeDesk,
  found: WalletQuote,
  exchange: boolean,
): Promise<WalletPayment> {
  const { quoteDigest } = found;
  const terms = found.quote.body;
  // Authorised before, the card may have signed already; then only the station can tell.
  if (found.state !== 'authorised') {
    requireFresh(host, terms.expiry);
    await requireCoin(host, desk, terms, exchange);
  }
  host.wallet.quotes.authorise(quoteDigest, host.clock.nowMs());
  await desk.card.authorise('pay', quoteDigest);
  const answer = await desk.link.pay(quoteDigest).catch(async (error: unknown) => {
    if (found.state !== 'authorised') await takeBack(host, desk, quoteDigest, error);
    throw error;
  });
  if (answer.outcome === 'refused') return refusedOrPaid(host, desk, found, answer);
  try {
    const { record } = answer.content;
    requireOf(quoteDigest, record.payment.transaction.quoteDigest);
    return desk.keepRecord(record);
  } catch (error) {
    throw toUnknownOutcome(error, 'the station says that it was paid');
  }
}

/** Where the request has never left: its user hears of a fault, and thinks of it no more. */
async function takeBack(
  host: Host,
  { card }: HomeDesk,
  quoteDigest: Uint8Array,
  error: unknown,
): Promise<void> {
  if (error instanceof DeskError && error.code === 'outcome-unknown') return;
  try {
    await withdraw(host, card);
    host.wallet.quotes.refuse(quoteDigest, 'it was never sent', host.clock.nowMs());
  } catch {
    // A card without power has forgotten it; and what stays authorised here ends with the quote.
  }
}

/**
 * The station's no, once the card bears it out. What keeps it from that leaves the outcome unknown:
 * the quote stays authorised, and is never replaced.
 */
async function refusedOrPaid(
  host: Host,
  desk: HomeDesk,
  { quoteDigest, quote: { body: terms } }: WalletQuote,
  { code, message }: DeskRefusal,
): Promise<WalletPayment> {
  let isOpen: boolean;
  try {
    await withdraw(host, desk.card);
    const paid = host.wallet.payments.ofQuote(quoteDigest);
    if (paid !== undefined) return paid;
    // The card may have signed before it failed.
    isOpen = code === 'card-fault' || (await hasSigned(host, desk, billTotal(terms.bill)));
    if (!isOpen) host.wallet.quotes.refuse(quoteDigest, message, host.clock.nowMs());
  } catch (error) {
    throw toUnknownOutcome(error, message);
  }
  if (isOpen) throw new DeskError('outcome-unknown', message);
  throw new HostError('desk-refused', message, code);
}

/** The station's no is checked with the card: no coin of this value has left its unspent ones. */
async function hasSigned(host: Host, { card }: HomeDesk, total: bigint): Promise<boolean> {
  const onCard = await card.listCoins();
  const unspent = new Set(
    onCard.filter(({ state }) => state === 'unspent').map(({ coinId }) => toHex(coinId)),
  );
  return held(host).some(
    ({ coin: { body } }) => body.value === total && !unspent.has(toHex(body.coinId)),
  );
}

function requireOf(quoteDigest: Uint8Array, paid: Uint8Array): void {
  if (!equalBytes(quoteDigest, paid)) throw invalid('the payment it shows is of another quote');
}

/** Also of a quote that was let loose before, without this limit or with another. */
function requireCheap(
  { quote: { body }, state }: WalletQuote,
  before: WalletPayment | undefined,
  atMost: string | undefined,
): void {
  const total = billTotal(body.bill);
  if (atMost === undefined || total <= BigInt(atMost)) return;
  const asks = `the quote asks ${total} minor units, more than the ${atMost} allowed`;
  if (before !== undefined) {
    const paid = `it was paid before, as payment ${toHex(before.paymentId)}`;
    throw new HostError('too-dear', `${asks}; ${paid}, and nothing was done now`);
  }
  const also =
    state === 'authorised'
      ? 'it was to be paid before, and may have been; nothing was done now'
      : 'no coin was used';
  throw new HostError('too-dear', `${asks}; ${also}`);
}

/** S32 needs a coin of exactly the total; an exchange makes one where that is allowed. */
async function requireCoin(
  host: Host,
  desk: HomeDesk,
  terms: QuoteBody,
  exchange: boolean,
): Promise<void> {
  const total = billTotal(terms.bill);
  if (matching(host, terms).length > 0) return;
  const coins = held(host);
  if (exchange) {
    await exchangeFor(host, desk, [{ value: total, count: 1 }], (error, done) =>
      withWordsBefore(error, `${done}, and nothing was paid`),
    );
    return;
  }
  const values = [...new Set(coins.map(({ coin }) => coin.body.value))].sort((a, b) =>
    a < b ? -1 : 1,
  );
  const list = values.length === 0 ? 'none' : `coins of ${values.join(', ')}`;
  if (values.includes(total)) {
    const words = `the coins of ${total} minor units end before the quote does`;
    throw new HostError('no-matching-coin', `${words}, and pay it no more`);
  }
  throw new HostError(
    'no-matching-coin',
    `no coin of exactly ${total} minor units; the card holds ${list}`,
  );
}

/** `card.md`, PAY: the card takes no coin that ends before the quote, failure 36. */
function matching(host: Host, { bill, expiry }: QuoteBody): readonly WalletCoin[] {
  const total = billTotal(bill);
  return held(host).filter(({ coin: { body } }) => body.value === total && body.expiry > expiry);
}

/** Whatever is known at the deadline: a payment without verdict goes on without us. */
async function awaitVerdict(
  host: Host,
  admitted: WalletPayment,
  waitMs: number,
): Promise<WalletPayment> {
  if (decided(admitted) || waitMs === 0) return admitted;
  return new Promise((resolve) => {
    const finish = (payment: WalletPayment): void => {
      cancel();
      forget();
      kept.stop();
      host.ending.removeEventListener('abort', giveUp);
      resolve(payment);
    };
    const latest = (): WalletPayment => latestOf(host, admitted);
    const forget = host.watch((event) => {
      if (event.kind !== 'concluded') return;
      if (equalBytes(event.payment.paymentId, admitted.paymentId)) finish(event.payment);
    });
    // Should the link go, the verdict waits at the station; a new connection fetches it.
    const kept = keepConnected(host);
    const cancel = host.clock.after(waitMs, () => {
      finish(latest());
    });
    const giveUp = (): void => finish(latest());
    host.ending.addEventListener('abort', giveUp, { once: true });
    const now = latest();
    if (decided(now)) finish(now);
  });
}

/** A wallet that cannot be read just now makes no failure of a payment that was admitted. */
function latestOf(host: Host, admitted: WalletPayment): WalletPayment {
  try {
    return host.wallet.payments.find(admitted.paymentId) ?? admitted;
  } catch (error) {
    if (error instanceof WalletError) return admitted;
    throw error;
  }
}

function requireQuote(host: Host, quoteId: string): WalletQuote {
  const found = host.wallet.quotes.find(fromHex(quoteId));
  if (found !== undefined) return found;
  throw new HostError('quote-unknown', `this wallet holds no quote ${quoteId}`);
}

function requireFresh(host: Host, expiry: bigint): void {
  if (nowSeconds(host) <= expiry) return;
  throw new HostError('quote-expired', `the quote expired at ${isoTime(expiry)}`);
}

/** A quote just made that has expired, or is of the future, tells of clocks and not of quotes. */
function requireSameTime(host: Host, { time, expiry }: QuoteBody): void {
  const now = nowSeconds(host);
  if (time - clockSkewSeconds <= now && now <= expiry) return;
  throw new HostError(
    'clock-wrong',
    `the station's clock says ${isoTime(time)}, this machine's ${isoTime(now)}`,
  );
}

function nowSeconds({ clock }: Host): bigint {
  return BigInt(Math.floor(clock.nowMs() / 1_000));
}

function describeQuote(host: Host, found: WalletQuote): ErrandResult<'quote'> {
  const terms = found.quote.body;
  const total = billTotal(terms.bill);
  return {
    quoteId: toHex(terms.quoteId),
    payer: terms.payer,
    payee: terms.payee,
    bill: describeBill(terms.bill),
    total: total.toString(),
    currency: terms.currency,
    minimumSuite: terms.minimumSuite,
    expires: isoTime(terms.expiry),
    deliveryDeadline: isoTime(terms.deliveryDeadline),
    matchingCoins: matching(host, terms).length,
  };
}

function describePayment(kept: WalletPayment): ErrandResult<'pay'> {
  const { quote: terms, coin } = kept.payment;
  const reason = kept.receipt?.body.reason ?? kept.refusal?.body.reason;
  return {
    paymentId: toHex(kept.paymentId),
    role: kept.role,
    payer: terms.payer,
    payee: terms.payee,
    bill: describeBill(terms.bill),
    total: billTotal(terms.bill).toString(),
    currency: terms.currency,
    coinValue: coin.body.value.toString(),
    standing: kept.standing,
    ...(reason !== undefined && { reason }),
    time: isoTime(terms.time),
  };
}

function describeBill(bill: readonly BillLine[]): { station: string; fee: string }[] {
  return bill.map(({ station, fee }) => ({ station, fee: fee.toString() }));
}
