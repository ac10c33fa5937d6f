/**
 * The conformance checklist, tried on a card: `applet-spec/conformance.md`. On a card that belongs
 * to somebody nothing is used up: no coin is spent, and every try of the PIN is given back.
 */
import type { CardDelivery } from '../../applet-spec/card-delivery.ts';
import {
  conformanceCases,
  type ConformanceCase,
  type ConformanceCaseId,
} from '../../applet-spec/conformance.ts';
import { ApduError } from '../../applet-spec/apdu-error.ts';
import { CertificateError } from '../../applet-spec/certificate-error.ts';
import { Scp03Error } from '../../applet-spec/scp03-error.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';
import { CardError } from '../card/card-error.ts';
import { CardSession } from '../card/card-session.ts';
import { ReaderError } from '../reader/reader-error.ts';
import { CardOnBench, type BenchOptions } from './card-on-bench.ts';
import { NotApplicable, NotConforming } from './expectation.ts';
import { hostChecks } from './host-checks.ts';
import { laterLifeChecks } from './later-life-checks.ts';
import { laterPaymentChecks } from './later-payment-checks.ts';
import { laterPeerChecks } from './later-peer-checks.ts';
import { laterPoolChecks } from './later-pool-checks.ts';
import { lifeChecks } from './life-checks.ts';
import { paymentChecks } from './payment-checks.ts';
import { peerKeyChecks } from './peer-key-checks.ts';
import { poolChecks } from './pool-checks.ts';
import { powerChecks } from './power-checks.ts';
import { referenceChecks } from './reference-checks.ts';
import { renewalChecks } from './renewal-checks.ts';
import { roomChecks } from './room-checks.ts';
import { sessionChecks } from './session-checks.ts';
import { transmissionChecks } from './transmission-checks.ts';

export interface CaseOutcome {
  readonly id: ConformanceCaseId;
  readonly clause: string;
  readonly result: 'passed' | 'failed' | 'skipped';
  /** What was found instead, or why the case was not tried. */
  readonly detail?: string;
}

export interface ConformanceReport {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly cases: readonly CaseOutcome[];
}

export interface ConformanceOptions extends BenchOptions {
  /** The blank card may be used up: it is enrolled for nobody, for good. */
  readonly expendable?: boolean;
  readonly onCase?: (outcome: CaseOutcome) => void;
}

const checks: Readonly<Record<ConformanceCaseId, (card: CardOnBench) => Promise<void>>> = {
  ...transmissionChecks,
  ...hostChecks,
  ...sessionChecks,
  ...lifeChecks,
  ...laterLifeChecks,
  ...referenceChecks,
  ...renewalChecks,
  ...poolChecks,
  ...laterPoolChecks,
  ...paymentChecks,
  ...laterPaymentChecks,
  ...peerKeyChecks,
  ...laterPeerChecks,
  ...powerChecks,
  ...roomChecks,
};

/**
 * Throws ReaderError where there is no card, and CardError for a card without the applet or a PIN
 * that is wrong.
 */
export async function checkConformance(options: ConformanceOptions): Promise<ConformanceReport> {
  const { onCase = () => undefined } = options;
  const card = new CardOnBench(options);
  const outcomes = new Map<ConformanceCaseId, CaseOutcome>();
  try {
    await card.powerCycle();
    const given = await whatIsGiven(card, options);
    for (const need of phases) {
      for (const [id, entry] of entries.filter(([, { needs }]) => needs === need)) {
        const outcome = { id, clause: entry.clause, ...(await tryCase(card, id, entry, given)) };
        outcomes.set(id, outcome);
        onCase(outcome);
      }
    }
  } finally {
    await card.close();
  }
  const cases = entries.flatMap(([id]) => outcomes.get(id) ?? []);
  const count = (result: CaseOutcome['result']): number =>
    cases.filter((one) => one.result === result).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped'), cases };
}

const entries = Object.entries<ConformanceCase>(conformanceCases).map(
  ([id, entry]) => [id as ConformanceCaseId, entry] as const,
);
/** An expendable card gets its PIN on the way, so what needs it comes last. */
const phases = ['card', 'keys', 'expendable', 'pin'] as const;

/** Why cases of this need are not tried; undefined where they are. */
type Given = Readonly<Record<ConformanceCase['needs'], string | undefined>>;

async function whatIsGiven(card: CardOnBench, options: ConformanceOptions): Promise<Given> {
  const { pin, delivery, expendable = false } = options;
  const session = await CardSession.open(card.channel);
  const { lifeCycle } = await session.applicationInfo();
  if (pin !== undefined) await session.verifyPin(pin);
  const delivered = delivery !== undefined && (await card.isDelivered(delivery));
  if (delivered) card.keys = delivery.keys;
  const blank = lifeCycle === 'blank';
  return {
    card: undefined,
    pin: pin === undefined ? 'needs the PIN: --pin' : undefined,
    keys: delivered ? undefined : keysWanted(delivery),
    expendable:
      expendable && blank && delivered ? undefined : expendableWanted(expendable, blank, delivery),
  };
}

function keysWanted(delivery: CardDelivery | undefined): string {
  return delivery === undefined
    ? 'needs the keys of a card that is not enrolled: --delivery'
    : 'the delivery file is of another card, or its keys are not in force any more';
}

function expendableWanted(
  expendable: boolean,
  blank: boolean,
  delivery: CardDelivery | undefined,
): string {
  if (!expendable) return 'would use the card up: --expendable, on a blank card';
  return blank ? keysWanted(delivery) : 'needs a blank card; this one is not';
}

async function tryCase(
  card: CardOnBench,
  id: ConformanceCaseId,
  { needs }: ConformanceCase,
  given: Given,
): Promise<Pick<CaseOutcome, 'result' | 'detail'>> {
  const learnt = needs === 'pin' && card.pin !== undefined;
  const missing = learnt ? undefined : given[needs];
  if (missing !== undefined) return { result: 'skipped', detail: missing };
  try {
    await (needs === 'pin' ? card.enter() : card.select());
    await checks[id](card);
    return { result: 'passed' };
  } catch (error) {
    if (error instanceof NotApplicable) return { result: 'skipped', detail: error.message };
    const detail = whatWentWrong(error);
    // A fault of the connection ends it; the next case needs another one.
    await card.powerCycle();
    return { result: 'failed', detail };
  }
}

/** What a card may cause; a defect of the checklist itself is thrown on. */
function whatWentWrong(error: unknown): string {
  const cardsFault =
    error instanceof NotConforming ||
    error instanceof TlvError ||
    error instanceof ApduError ||
    error instanceof Scp03Error ||
    error instanceof CertificateError ||
    error instanceof ReaderError ||
    error instanceof CardError;
  if (cardsFault) return error.message;
  throw error;
}
