import { equalBytes } from '../../applet-spec/bytes.ts';
import type { QuoteReply } from '../../applet-spec/desk-messages.ts';
import {
  homeStation,
  suiteAtLeast,
  type Currency,
  type StationName,
  type Suite,
  type UserName,
} from '../../applet-spec/names.ts';
import { acceptance, billTotal, quote, type QuoteBody } from '../../applet-spec/quote.ts';
import type { HostTrust } from './host-trust.ts';
import { invalid } from './host-trust.ts';

/** What was asked for, and who asked. */
export interface QuoteWish {
  readonly payer: UserName;
  readonly payee: UserName;
  readonly network: string;
  readonly currency: Currency;
  readonly minimumSuite: Suite;
  readonly avoid: readonly StationName[];
}

export type CheckedQuote = Omit<QuoteReply, 'requestId' | 'crl'>;

/**
 * What the first of the two hands checks before it may authorise (design §6.2): both stations'
 * certificates against the pinned root, both signatures, and that quote and acceptance say what was
 * asked. Throws DeskError `evidence-invalid`, naming what does not hold.
 */
export function checkQuote(reply: QuoteReply, wish: QuoteWish, trust: HostTrust): CheckedQuote {
  const { requestId: _asked, crl, ...offered } = reply;
  const terms = reply.quote.body;
  const welcome = reply.acceptance.body;
  trust.learnCrl(crl);
  const payerStation = homeStation(wish.payer);
  const payeeStation = homeStation(wish.payee);
  const payerKey = trust.keyOf(reply.stationCertificate, 'station-document', payerStation);
  const payeeKey = trust.keyOf(reply.payeeStationCertificate, 'station-document', payeeStation);
  require(quote.verify(reply.quote, payerKey), `the signature of ${payerStation} on the quote`);
  require(acceptance.verify(
    reply.acceptance,
    payeeKey,
  ), `the signature of ${payeeStation} on the acceptance`);
  requireTerms(terms, wish);
  requireRoute(terms, wish);
  require(equalBytes(terms.payeeStationKey, payeeKey.publicKey), "the payee station's key");
  require(welcome.payer === wish.payer && welcome.payee === wish.payee, "the acceptance's users");
  require(welcome.payeeStation === payeeStation, "the acceptance's station");
  require(welcome.network === wish.network, "the acceptance's network");
  require(equalBytes(welcome.acceptanceId, terms.acceptanceId), "the acceptance's ID");
  require(equalBytes(
    welcome.payeeCertificate,
    terms.payeeCertificate,
  ), "the hash of the payee's certificate");
  return offered;
}

function requireTerms(terms: QuoteBody, wish: QuoteWish): void {
  require(terms.payer === wish.payer, 'the payer');
  require(terms.payee === wish.payee, 'the payee');
  require(terms.network === wish.network, 'the network');
  require(terms.currency === wish.currency, 'the currency');
  require(suiteAtLeast(terms.minimumSuite, wish.minimumSuite), 'the minimum suite');
  const inOrder =
    terms.time <= terms.expiry &&
    terms.expiry <= terms.deliveryDeadline &&
    terms.deliveryDeadline <= terms.resolutionDeadline;
  require(inOrder, 'the order of its deadlines');
}

function requireRoute(terms: QuoteBody, wish: QuoteWish): void {
  const route = terms.bill.map((line) => line.station);
  require(route[0] === homeStation(wish.payer), "the route's first station");
  require(route.at(-1) === homeStation(wish.payee), "the route's last station");
  require(new Set(route).size === route.length, 'the route, which names a station twice');
  require(billTotal(terms.bill) > 0n, 'the total, which is 0 as no coin is');
  const avoided = route.find((station) => wish.avoid.includes(station));
  require(avoided === undefined, `the route over ${avoided ?? ''}, which was to be avoided`);
}

function require(holds: boolean, what: string): void {
  if (!holds) throw invalid(`the station's quote is not as asked: ${what} does not hold`);
}
