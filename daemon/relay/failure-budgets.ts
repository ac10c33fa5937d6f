/**
 * A payment that is not delivered burns QKD keys at every station that carried it, and costs its
 * users nothing. So each payer, each payee and each station has a budget of them (design §7): a
 * payment takes from it when this station stores it, and gives back when it is delivered.
 */
import type { Clock } from '../../applet-spec/clock.ts';
import { homeStation, type StationName, type UserName } from '../../applet-spec/names.ts';
import type { Reason, ReceiptBody } from '../../applet-spec/receipt.ts';
import type { OpenPayment } from './open-payments.ts';
import { TokenBuckets } from '../token-buckets.ts';

/** Undelivered payments an hour; those without a verdict yet count, too. */
export interface FailureLimits {
  readonly payers: number;
  readonly payees: number;
  readonly stations: number;
}

/** Far above what honest users need, far below what a link's devices make in an hour. */
export const defaultFailureLimits: FailureLimits = { payers: 600, payees: 1_200, stations: 36_000 };

/** Whom a payment may be held against. */
export interface Involved {
  readonly payer?: UserName | undefined;
  readonly payee?: UserName | undefined;
  readonly stations: readonly (StationName | undefined)[];
}

export interface SpentBudget {
  /** A user or a station. */
  readonly who: string;
  readonly perHour: number;
  readonly untilMs: number;
}

/** What a payee's card or absence, and nothing on the road, brings about. */
const ofTheUsers: ReadonlySet<Reason> = new Set([
  'deadline-passed',
  'payee-absent',
  'payee-refused',
  'payee-card-full',
  'payee-card-fault',
]);

export class FailureBudgets {
  readonly #station: StationName;
  readonly #payers: TokenBuckets;
  readonly #payees: TokenBuckets;
  readonly #stations: TokenBuckets;

  constructor(station: StationName, limits: FailureLimits, clock: Clock) {
    this.#station = station;
    this.#payers = new TokenBuckets(limits.payers, clock);
    this.#payees = new TokenBuckets(limits.payees, clock);
    this.#stations = new TokenBuckets(limits.stations, clock);
  }

  /** A payment was stored just now. */
  begun({ role, payment }: Pick<OpenPayment, 'role' | 'payment'>): void {
    const { payer, payee } = payment.quote;
    if (role === 'issuer') this.#payers.take(payer);
    if (role !== 'relay') this.#payees.take(payee);
    for (const station of this.#othersOf(payment.quote)) this.#stations.take(station);
  }

  /** Its verdict is durable. A station answers for every failure, users for their own. */
  ended(
    { role, payment }: Pick<OpenPayment, 'role' | 'payment'>,
    { verdict, reason }: Pick<ReceiptBody, 'verdict' | 'reason'>,
  ): void {
    const isDelivered = verdict === 'delivered';
    if (!isDelivered && reason !== undefined && ofTheUsers.has(reason)) return;
    const { payer, payee } = payment.quote;
    if (role === 'issuer') this.#payers.giveBack(payer);
    if (role !== 'relay') this.#payees.giveBack(payee);
    if (!isDelivered) return;
    for (const station of this.#othersOf(payment.quote)) this.#stations.giveBack(station);
  }

  /** The first of them whose budget is spent; undefined where none is. */
  spent({ payer, payee, stations }: Involved): SpentBudget | undefined {
    return (
      spentOf(this.#payers, payer) ??
      spentOf(this.#payees, payee) ??
      stations.map((one) => spentOf(this.#stations, one)).find((one) => one !== undefined)
    );
  }

  /** All that are spent now, users before stations; for the operator. */
  get allSpent(): readonly SpentBudget[] {
    return [this.#payers, this.#payees, this.#stations].flatMap((buckets) =>
      buckets.empty.flatMap((who) => spentOf(buckets, who) ?? []),
    );
  }

  /** Of the issuer and the last station, whichever this one is not. */
  #othersOf({ payer, payee }: { readonly payer: UserName; readonly payee: UserName }) {
    return [homeStation(payer), homeStation(payee)].filter((one) => one !== this.#station);
  }
}

/** For a person: who, and until when. */
export function spentWords({ who, perHour, untilMs }: SpentBudget): string {
  const until = new Date(untilMs).toISOString();
  return (
    `Too many payments of ${who} were not delivered: ${perHour} an hour are borne. ` +
    `The next is taken at ${until}.`
  );
}

function spentOf(buckets: TokenBuckets, who: string | undefined): SpentBudget | undefined {
  if (who === undefined) return undefined;
  const untilMs = buckets.emptyUntilMs(who);
  return untilMs === undefined ? undefined : { who, perHour: buckets.perHour, untilMs };
}
