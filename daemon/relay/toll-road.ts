/**
 * The toll of one station: its roles as issuer, relay and last station, over one store and one set
 * of links.
 */
import {
  homeStation,
  type StationName,
  type Suite,
  type UserName,
} from '../../applet-spec/names.ts';
import type { Quote } from '../../applet-spec/quote.ts';
import type { Receipt } from '../../applet-spec/receipt.ts';
import type { DeskRefusal, PaySigned, Toll } from '../desk/desk-seams.ts';
import type { FailedRow, InboundRecord, LinkListener } from '../link/links.ts';
import type { Announcer } from '../network/announcer.ts';
import type { Trust } from '../network/trust.ts';
import { RecordsShown } from '../recovery/records-shown.ts';
import { signalForMany } from '../signal-for-many.ts';
import type { WitnessedLog } from '../witness/witnessed-log.ts';
import type { Answer, Question, WireMessage } from '../wire/wire-message.ts';
import type { AnnouncedFees } from './announced-fees.ts';
import { CarefulStart } from './careful-start.ts';
import { Carrier } from './carrier.ts';
import { DamagedRows, type DamagedPayments } from './damaged-rows.ts';
import { spentWords } from './failure-budgets.ts';
import { inquiryOf } from './inquiries.ts';
import { Issuer } from './issuer.ts';
import { LastStation } from './last-station.ts';
import { nothingNew } from './nothing-new.ts';
import { OpenPayments } from './open-payments.ts';
import { Quarantine, type RetryOutcome } from './quarantine.ts';
import type { Quoting } from './quoting.ts';
import { noteSilence } from './silent-stations.ts';
import type { TollContext } from './toll-context.ts';
import { Verdicts, type ReceiptOutcome } from './verdicts.ts';

/** The context of a station's toll, with what it checks payments against. */
export function tollContextOf(
  parts: Omit<TollContext, 'check' | 'open' | 'stopping'> & {
    readonly trust: Trust;
    readonly fees: AnnouncedFees;
  },
): Omit<TollContext, 'stopping'> {
  const { trust, fees, ...context } = parts;
  const { station, network, primitives, directory, links, clock } = context;
  const suites = new Map(links.peers.map((peer) => [peer, links.status(peer)?.suite]));
  return {
    ...context,
    open: new OpenPayments(context.store),
    check: {
      station,
      network,
      primitives,
      directory,
      trust,
      announcedFee: (name, quoteTime) => fees.fee(name, quoteTime),
      suiteTo: (peer) => suites.get(peer),
      nowSeconds: () => BigInt(Math.floor(clock.nowMs() / 1000)),
    },
  };
}

/** Who answers other stations' questions about money (S5). */
export interface SettlementDesk {
  answer(question: Uint8Array): Promise<Uint8Array | undefined>;
}

/** What links bring and take besides payments. */
export interface TollTidings {
  readonly announcer: Announcer;
  readonly witnessedLog: WitnessedLog;
}

export class TollRoad implements Toll, LinkListener {
  readonly #context: TollContext;
  readonly #quoting: Quoting;
  readonly #announcer: Announcer;
  readonly #witnessedLog: WitnessedLog;
  readonly #verdicts: Verdicts;
  readonly #damagedRows: DamagedRows;
  readonly #lastStation: LastStation;
  readonly #issuer: Issuer;
  readonly #quarantine: Quarantine;
  readonly #carefulStart: CarefulStart;
  readonly #carrier: Carrier;
  readonly #settlement: () => SettlementDesk;
  readonly #recordsShown: RecordsShown;
  readonly #stopping = signalForMany();

  constructor(
    parts: Omit<TollContext, 'stopping'>,
    quoting: Quoting,
    { announcer, witnessedLog }: TollTidings,
    settlement: () => SettlementDesk,
  ) {
    const context = { ...parts, stopping: this.#stopping.signal };
    this.#context = context;
    this.#settlement = settlement;
    this.#quoting = quoting;
    this.#announcer = announcer;
    this.#witnessedLog = witnessedLog;
    this.#recordsShown = new RecordsShown(context);
    this.#verdicts = new Verdicts(context);
    this.#verdicts.onDecided((open, receipt) => {
      context.failures.ended(open, receipt.body);
      noteSilence(context, open, receipt.body);
    });
    this.#damagedRows = new DamagedRows(context, this.#verdicts);
    this.#lastStation = new LastStation(context, this.#verdicts);
    this.#issuer = new Issuer(context, this.#verdicts);
    this.#quarantine = new Quarantine(context);
    this.#carefulStart = new CarefulStart(context, this.#quarantine);
    this.#carrier = new Carrier(context, {
      verdicts: this.#verdicts,
      lastStation: this.#lastStation,
      issuer: this.#issuer,
      quarantine: this.#quarantine,
      carefulStart: this.#carefulStart,
    });
  }

  /** Of the process, once. */
  begin(): Promise<void> {
    return this.#carefulStart.begin();
  }

  /**
   * Takes up what the last stop left open: call before the links listen, and again once books were
   * rebuilt.
   */
  async start(): Promise<void> {
    await this.#lastStation.start();
    await this.#issuer.start();
  }

  /** Before books that were rebuilt are whole: what the lost ones may have decided is in doubt. */
  doubt(): Promise<void> {
    return this.#lastStation.doubt();
  }

  /** Nothing waits for keys or answers any longer, and nothing more is taken. */
  stop(): void {
    this.#stopping.abort();
    this.#context.questions().close();
  }

  /**
   * Ends timers, takes nothing more, and waits until nothing is under way; the store may be closed
   * then. What a neighbour sends meanwhile stays in its outbox.
   */
  async close(): Promise<void> {
    this.stop();
    await this.#carrier.idle();
    await this.#carefulStart.close();
    await this.#issuer.idle();
    this.#lastStation.close();
    this.#issuer.close();
    await this.#lastStation.idle();
    await this.#verdicts.idle();
    await this.#damagedRows.idle();
    await this.#context.outbox.idle();
  }

  /** A receipt that a claim brought before the network did. */
  takeReceipt(receipt: Receipt): Promise<ReceiptOutcome> {
    return this.#verdicts.take(receipt, undefined);
  }

  /** A receipt that a neighbour shows to books that had lost it. */
  takeShownReceipt(receipt: Receipt, from: StationName): Promise<ReceiptOutcome> {
    return this.#verdicts.take(receipt, from, true);
  }

  /** A verdict that was given before its payment came, to the station that waits for it. */
  passBack(previous: StationName, receipt: Receipt): Promise<void> {
    return this.#verdicts.passBack(previous, receipt);
  }

  quote(
    payer: UserName,
    wish: {
      readonly payee: UserName;
      readonly minimumSuite: Suite;
      readonly avoid: readonly StationName[];
    },
  ) {
    return this.#quoting.quote(payer, wish);
  }

  async payable(payer: UserName, quoteDigest: Uint8Array) {
    const closed = nothingNew(this.#context);
    if (closed !== undefined) {
      // Nothing new: whoever asks again hears of the payment that is there.
      const row = await this.#context.store.paymentByQuote(quoteDigest);
      if (row?.payer === payer) return { outcome: 'paid-before', row } as const;
      return refused(closed.code, `${closed.why} No coin was used.`);
    }
    const payable = await this.#issuer.payable(payer, quoteDigest);
    if (payable.outcome !== 'payable') return payable;
    const { payee } = payable.quote.body;
    const stations = [homeStation(payee)];
    const spent = this.#context.failures.spent({ payer, payee, stations });
    if (spent === undefined) return payable;
    payable.keys?.release();
    return refused('too-many-failures', `${spentWords(spent)} No coin was used.`);
  }

  /** What a card has signed waits, marked and in its journal, for books that are whole. */
  async pay(payer: UserName, quote: Quote, answer: PaySigned) {
    const rolledBack = this.#context.standing.refusal;
    if (rolledBack !== undefined) return refused('rolled-back', `${rolledBack} Ask again later.`);
    return this.#issuer.pay(payer, quote, answer);
  }

  arrived(user: UserName): void {
    this.#lastStation.arrived(user);
  }

  awaits(user: UserName): boolean {
    return this.#lastStation.awaits(user);
  }

  linkUp(peer: StationName): void {
    // Before any payment: a neighbour whose books were rolled back must not take one more.
    this.#witnessedLog.linkUp(peer);
    this.#announcer.linkUp(peer);
    this.#context.outbox.linkUp(peer);
  }

  linkDown(peer: StationName): void {
    this.#announcer.linkDown();
    this.#context.outbox.linkDown(peer);
  }

  received(peer: StationName, records: readonly InboundRecord[]): void {
    this.#carrier.received(peer, records);
  }

  notUnderstood(peer: StationName, rows: readonly FailedRow[]): void {
    this.#carrier.notUnderstood(peer, rows);
  }

  /** A record out of quarantine, as if it had come just now. */
  retryQuarantined(number: bigint): Promise<RetryOutcome> {
    return this.#quarantine.retry(number, (peer, message) => this.#carrier.again(peer, message));
  }

  /** Payments that do not go on, as what was to be sent of them cannot be read any more. */
  damaged(): Promise<readonly DamagedPayments[]> {
    return this.#damagedRows.payments();
  }

  confirmed(peer: StationName, rowIds: readonly bigint[]): void {
    this.#context.outbox.confirmed(peer, rowIds);
  }

  told(peer: StationName, message: WireMessage): void {
    this.#told(peer, message).catch(this.#context.log.fault);
  }

  #told(peer: StationName, message: WireMessage): Promise<void> {
    switch (message.kind) {
      case 'question':
      case 'answer':
        return this.#context.questions().told(peer, message);
      case 'checkpoint':
      case 'cosigned':
      case 'declaration':
      case 'published':
      case 'prove':
      case 'twoLogs':
        return this.#witnessedLog.told(peer, message);
      default:
        return this.#announcer.told(peer, message);
    }
  }

  /** Of questions on their way to another station. */
  async object(question: Question, route: readonly StationName[]): Promise<Answer | undefined> {
    return question.kind === 'acceptance'
      ? this.#quoting.objection(question.content, route)
      : undefined;
  }

  /** Questions of other stations that have come to this one. */
  async answer(question: Question, route: readonly StationName[]): Promise<Answer | undefined> {
    switch (question.kind) {
      case 'acceptance':
        return this.#quoting.accept(question.content, route);
      case 'verdict': {
        const asked = inquiryOf(this.#context, question.content, route.at(-2) ?? '');
        const receipt = asked && (await this.#lastStation.verdict(asked));
        return receipt && { kind: 'verdict', content: { receipt } };
      }
      case 'settlement': {
        const content = await this.#settlement().answer(question.content);
        return content && { kind: 'settlement', content };
      }
      case 'records': {
        const [peer, ...rest] = route;
        // Only of the link that it has come over.
        if (peer === undefined || rest.length > 1) return undefined;
        const content = await this.#recordsShown.page(peer, question.content);
        if (content !== 'rolled-back') return content && { kind: 'records', content };
        const message = `${this.#context.station} has lost records itself.`;
        return { kind: 'declined', content: { reason: content, message } };
      }
    }
  }
}

function refused(code: DeskRefusal['code'], message: string): DeskRefusal {
  return { outcome: 'refused', code, message };
}
