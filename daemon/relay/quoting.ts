/** S21–S24: the payee's acceptance, the route, and the signed quote with its itemised bill. */
import type { Clock } from '../../applet-spec/clock.ts';
import { formatMoney } from '../../applet-spec/money.ts';
import {
  headNow,
  homeStation,
  type Currency,
  type StationName,
  type Suite,
  type UserName,
} from '../../applet-spec/names.ts';
import type { Entropy, Primitives, SigningKey } from '../../applet-spec/primitives.ts';
import { acceptance, quote, type Acceptance } from '../../applet-spec/quote.ts';
import type { Counter, DeskRefusal, Quoted } from '../desk/desk-seams.ts';
import type { Directory, StationEntry } from '../network/directory.ts';
import type { Asked, Questions } from '../network/questions.ts';
import type { Picture } from '../network/picture.ts';
import type { Route } from '../network/routes.ts';
import type { Trust } from '../network/trust.ts';
import type { DiskRoom } from '../store/disk-room.ts';
import type { BookStore } from '../store/store.ts';
import type { Answer, Question } from '../wire/wire-message.ts';
import type { LogStanding } from '../witness/log-standing.ts';
import { spentWords, type FailureBudgets } from './failure-budgets.ts';
import { nothingNew } from './nothing-new.ts';
import type { Positions } from './positions.ts';

/**
 * How long each thing lasts, in seconds. Configurable; these suit people who read before they pay.
 */
export interface QuoteTerms {
  readonly quoteSeconds: bigint;
  readonly deliverySeconds: bigint;
  readonly resolutionSeconds: bigint;
}

export const defaultTerms: QuoteTerms = {
  quoteSeconds: 120n,
  deliverySeconds: 300n,
  resolutionSeconds: 86_400n,
};

export interface QuotingOptions {
  readonly station: StationName;
  readonly network: string;
  readonly currency: Currency;
  readonly terms: QuoteTerms;
  readonly documentKey: SigningKey;
  readonly primitives: Primitives;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly directory: Directory;
  readonly picture: Picture;
  readonly positions: Positions;
  readonly failures: FailureBudgets;
  readonly standing: LogStanding;
  readonly room: Pick<DiskRoom, 'refusal'>;
  readonly trust: Trust;
  readonly questions: () => Questions;
  readonly counter: () => Counter;
  readonly store: BookStore;
}

const askTimeoutMs = 5_000;
/** So many further routes are tried where a station cannot be reached, or will not carry. */
const routesMost = 3;

type AcceptanceAsked = Extract<Question, { kind: 'acceptance' }>['content'];

interface QuoteWish {
  readonly payee: UserName;
  readonly minimumSuite: Suite;
  readonly avoid: readonly StationName[];
}

interface AskedPayee {
  readonly outcome: 'asked';
  readonly asked: Asked;
  readonly route: Route;
  readonly last: StationEntry;
}

export class Quoting {
  readonly #options: QuotingOptions;

  constructor(options: QuotingOptions) {
    this.#options = options;
  }

  async quote(payer: UserName, wish: QuoteWish): Promise<Quoted | DeskRefusal> {
    const { station, directory, trust } = this.#options;
    const time = this.#nowSeconds();
    const crl = trust.crl;
    if (crl === undefined) {
      return refused('certificate-not-valid', `${station} has no CRL; its operator must load one`);
    }
    const closed = nothingNew(this.#options);
    if (closed !== undefined) return refused(closed.code, `${closed.why} No coin was used.`);
    const home = homeStation(wish.payee);
    if (home === station) return refused('payee-unknown', atOneStation(wish.payee, station));
    const stations = [home];
    const spent = this.#options.failures.spent({ payer, payee: wish.payee, stations });
    if (spent !== undefined) return refused('too-many-failures', spentWords(spent));
    const found = await this.#askPayee(payer, wish, time);
    if (found.outcome === 'refused') return found;
    const { asked, route, last } = found;
    if (asked.kind !== 'accepted') return notAccepted(wish.payee, asked);
    const accepted = asked.content.acceptance;
    if (
      !this.#holds(accepted, payer, wish.payee) ||
      !acceptance.verify(accepted, last.documentKey)
    ) {
      return refused('verification-failed', `${last.station} answered with a bad acceptance.`);
    }
    const own = directory.entry(station);
    if (own === undefined) return refused('certificate-not-valid', 'Our own certificate is void.');
    const signed = this.#sign(payer, wish, route, accepted, time);
    const digest = quote.digest(this.#options.primitives, signed.bodyBytes);
    await this.#options.store.putQuotes([
      {
        digest,
        payer,
        quote: signed.bytes,
        acceptance: accepted.bytes,
        expirySeconds: signed.body.expiry,
      },
    ]);
    return {
      outcome: 'quoted',
      quote: signed,
      acceptance: accepted,
      stationCertificate: own.announcement.body.documentCertificate,
      payeeStationCertificate: last.announcement.body.documentCertificate,
      crl: crl.der,
    };
  }

  /**
   * S21, S23: over the best route; where a link of it fails, or a station of it will not carry for
   * us, over the best one without.
   */
  async #askPayee(
    payer: UserName,
    { payee, minimumSuite, avoid }: QuoteWish,
    time: bigint,
  ): Promise<AskedPayee | DeskRefusal> {
    const { picture, questions } = this.#options;
    const content = { payer, payee, time, minimumSuite };
    const tried = new Set<string>();
    const avoided = new Set(avoid);
    let unwilling: AskedPayee | undefined;
    for (;;) {
      const to = homeStation(payee);
      const found = picture.route({ to, minimumSuite, avoid: avoided, toPay: true });
      if (found.outcome === 'none') {
        return unwilling ?? refused('no-route', `No route: ${found.why}.`);
      }
      const names = found.route.stations.map((entry) => entry.station);
      if (found.route.total === 0n) {
        return unwilling ?? refused('nothing-to-pay', nothingToPay(this.#options));
      }
      const last = found.route.stations.at(-1);
      if (last === undefined) return refused('no-route', 'No route was found.');
      const asked = await questions().ask(names, { kind: 'acceptance', content }, askTimeoutMs);
      const way = names.join(' ');
      const outcome = { outcome: 'asked', asked, route: found.route, last } as const;
      if (tried.has(way) || tried.size === routesMost) return outcome;
      tried.add(way);
      const objector = asked.kind === 'declined' ? asked.content.station : undefined;
      if (objector !== undefined && objector !== to) {
        avoided.add(objector);
        unwilling = outcome;
        continue;
      }
      if (asked.kind !== 'unreachable') return outcome;
      const before = names[names.indexOf(asked.content.station) - 1];
      if (before === undefined) return outcome;
      picture.linkFailed(before, asked.content.station);
    }
  }

  /**
   * Of every station behind the payer's: does it trust that one with the fee of a payment more, and
   * has nobody burned keys without end?
   */
  async objection(
    { payee }: Pick<AcceptanceAsked, 'payee'>,
    route: readonly StationName[],
  ): Promise<Answer | undefined> {
    const { station, directory, positions, failures } = this.#options;
    const closed = nothingNew(this.#options);
    if (closed !== undefined) {
      const { code: reason, why: message } = closed;
      return { kind: 'declined', content: { reason, message, station } };
    }
    const [issuer] = route;
    const spent = failures.spent({ payee, stations: [issuer, route.at(-1)] });
    if (spent !== undefined) {
      const reason = 'too-many-failures';
      return { kind: 'declined', content: { reason, message: spentWords(spent), station } };
    }
    const fee = directory.entry(station)?.announcement.body.fee ?? 0n;
    if (issuer === undefined || (await positions.trusts(issuer, fee))) return undefined;
    const words = `${station} carries nothing more for ${issuer} until that has paid it.`;
    const content = { reason: 'position-limit', message: words, station } as const;
    return { kind: 'declined', content };
  }

  /** Qn's side of S21: is the payee here, with room for a key? */
  async accept(asked: AcceptanceAsked, route: readonly StationName[]): Promise<Answer> {
    const { station, network, documentKey, entropy, terms } = this.#options;
    if (homeStation(asked.payer) !== route[0] || homeStation(asked.payee) !== station) {
      return declined('route-mismatch', 'The question took a route that is not its own.');
    }
    const objection = await this.objection(asked, route);
    if (objection !== undefined) return objection;
    const presence = await this.#options.counter().presence(asked.payee);
    switch (presence.at) {
      case 'nowhere':
        return declined('payee-refused', `${station} has no user ${asked.payee}.`);
      case 'away':
        return declined('payee-absent', `${asked.payee} is not connected to ${station} now.`);
      case 'desk':
        if (presence.freePeerKeys === 0) {
          return declined('payee-card-full', `The card of ${asked.payee} has no room for a key.`);
        }
    }
    const time = this.#nowSeconds();
    const signed = acceptance.sign(
      {
        ...headNow,
        network,
        acceptanceId: entropy.randomBytes(16),
        payer: asked.payer,
        payee: asked.payee,
        payeeStation: station,
        payeeCertificate: presence.certificateHash,
        time,
        expiry: time + terms.quoteSeconds,
      },
      documentKey,
    );
    return { kind: 'accepted', content: { acceptance: signed } };
  }

  #holds(accepted: Acceptance, payer: UserName, payee: UserName): boolean {
    const { body } = accepted;
    return (
      body.network === this.#options.network &&
      body.payer === payer &&
      body.payee === payee &&
      body.payeeStation === homeStation(payee) &&
      body.expiry > this.#nowSeconds()
    );
  }

  #sign(
    payer: UserName,
    wish: { readonly payee: UserName; readonly minimumSuite: Suite },
    route: Route,
    accepted: Acceptance,
    time: bigint,
  ) {
    const { network, currency, terms, entropy, documentKey } = this.#options;
    const last = route.stations.at(-1);
    if (last === undefined) throw new RangeError('a route without stations');
    return quote.sign(
      {
        ...headNow,
        network,
        quoteId: entropy.randomBytes(16),
        payer,
        payee: wish.payee,
        currency,
        bill: route.stations.map((entry) => ({
          station: entry.station,
          fee: entry.announcement.body.fee,
          announcement: entry.announcementName,
        })),
        time,
        expiry: time + terms.quoteSeconds,
        deliveryDeadline: time + terms.deliverySeconds,
        resolutionDeadline: time + terms.resolutionSeconds,
        minimumSuite: wish.minimumSuite,
        acceptanceId: accepted.body.acceptanceId,
        payeeCertificate: accepted.body.payeeCertificate,
        payeeStationKey: last.documentKey.publicKey,
      },
      documentKey,
    );
  }

  #nowSeconds(): bigint {
    return BigInt(Math.floor(this.#options.clock.nowMs() / 1000));
  }
}

function notAccepted(payee: UserName, asked: Asked): DeskRefusal {
  switch (asked.kind) {
    case 'declined': {
      const { reason, message } = asked.content;
      if (isTold(reason)) {
        return refused(reason, `${message} No coin was used.`);
      }
      return refused(reason === 'payee-refused' ? 'payee-unknown' : 'payee-absent', message);
    }
    case 'unreachable':
      return refused('no-route', `Station ${asked.content.station} cannot be reached now.`);
    default:
      return refused(
        'no-route',
        `The station of ${payee} gave no answer in ${askTimeoutMs / 1000} s.`,
      );
  }
}

type TollReason = Extract<Answer, { kind: 'declined' }>['content']['reason'];

const toldReasons = [
  'position-limit',
  'too-many-failures',
  'rolled-back',
  'overloaded',
] as const satisfies readonly TollReason[];

/** Said by a station of the route, in words of its own. */
function isTold(reason: TollReason): reason is (typeof toldReasons)[number] {
  return toldReasons.some((one) => one === reason);
}

function atOneStation(payee: UserName, station: StationName): string {
  return `${payee} is at ${station}, as you are; the toll road leads to other stations.`;
}

/** Every way costs nothing, and no coin is worth that (S31, S32). */
function nothingToPay({ station, currency }: Pick<QuotingOptions, 'station' | 'currency'>): string {
  const [zero, least] = [formatMoney(0n, currency), formatMoney(1n, currency)];
  return (
    `No station on the way charges anything, and there is no coin of ${zero} to pay with: ` +
    `the operator of ${station} has to charge ${least} at least (tariff.fee in station.toml).`
  );
}

function declined(reason: TollReason, message: string): Answer {
  return { kind: 'declined', content: { reason, message } };
}

function refused(code: DeskRefusal['code'], message: string): DeskRefusal {
  return { outcome: 'refused', code, message };
}
