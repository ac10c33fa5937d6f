/**
 * One stored payment, recomputed (S6): everything that this station checked when it took the
 * payment, and everything that came of it. Pure: what it needs is handed in, and it believes no
 * column.
 */
import { equalBytes, toHex } from '../../applet-spec/bytes.ts';
import { coin as coinKind, coinIssuedSeconds } from '../../applet-spec/coin.ts';
import { homeStation, type StationName } from '../../applet-spec/names.ts';
import { paymentIdOf, verifyPayerSignature, type Payment } from '../../applet-spec/payment.ts';
import {
  acknowledgementHolds,
  admissionFault,
  contentFaults,
  receiptFault,
  routeFault,
} from '../../applet-spec/payment-evidence.ts';
import type { Primitives, VerifyingKey } from '../../applet-spec/primitives.ts';
import {
  admission as admissionKind,
  receipt as receiptKind,
  refusal as refusalKind,
  type Admission,
  type Receipt,
} from '../../applet-spec/receipt.ts';
import type { AuditedPayment } from '../store/audit-store.ts';
import type { Finding, FindingCode } from './finding.ts';
import { columnFaults } from './payment-columns.ts';
import type { Revocations, SeenCertificate } from './revocations.ts';
import type { StationKeys } from './station-keys.ts';
import type { StoredPapers } from './stored-papers.ts';

export interface PaymentAuditContext {
  readonly station: StationName;
  readonly network: string;
  readonly primitives: Primitives;
  readonly keys: StationKeys;
  readonly revocations: Revocations;
}

/** Clocks of stations may differ by this much (design §7). */
const skewSeconds = 60n;

export function auditPayment(
  context: PaymentAuditContext,
  row: AuditedPayment,
  payment: Payment,
  papers: StoredPapers,
): readonly Finding[] {
  const audit = new PaymentAudit(context, row, payment);
  audit.row();
  const verdict = audit.verdict();
  // What is wrong with a refused payment is why it was refused: our signed word is all it rests on.
  if (row.state === 'refused') return audit.findings;
  audit.listOfThen();
  audit.content();
  audit.payer(papers.payer);
  audit.coinSignature();
  // The announcement behind it is lost with the records that a neighbour restored.
  const isLost = row.isRestored && papers.ownAnnouncement === undefined;
  if (!isLost) audit.ownLine(papers.ownAnnouncement);
  const admitted = audit.admission();
  audit.acknowledgement(verdict, papers.payee);
  audit.times(admitted, verdict);
  return audit.findings;
}

class PaymentAudit {
  readonly findings: Finding[] = [];
  readonly #context: PaymentAuditContext;
  readonly #row: AuditedPayment;
  readonly #payment: Payment;
  readonly #paymentId: Uint8Array;

  constructor(context: PaymentAuditContext, row: AuditedPayment, payment: Payment) {
    this.#context = context;
    this.#row = row;
    this.#payment = payment;
    this.#paymentId = paymentIdOf(context.primitives, payment.transactionBytes);
  }

  /** The payment against itself: quote, coin, sum, route. */
  content(): void {
    const { primitives, network } = this.#context;
    const { payer } = this.#payment.quote;
    for (const { code, detail } of contentFaults(primitives, this.#payment, network)) {
      this.#find(code, detail, homeStation(payer));
    }
    const route = routeFault(this.#payment);
    if (route !== undefined) this.#find('route-broken', route, homeStation(payer));
  }

  /** The columns against the payment. */
  row(): void {
    const { station } = this.#context;
    if (!equalBytes(this.#row.paymentId, this.#paymentId)) {
      this.#find('payment-id-differs', `its content is payment ${toHex(this.#paymentId)}`);
    }
    for (const name of columnFaults(this.#context, this.#row, this.#payment)) {
      this.#find('row-differs', `the stored ${name} is not the payment's`);
    }
    if (this.#payment.quote.bill.every((line) => line.station !== station)) {
      this.#find('line-missing', 'its bill has no line of this station');
    }
  }

  /** S33, S34: the certificate that the transaction names, and the signature under it. */
  payer(paper: StoredPapers['payer']): void {
    const { time, payer } = this.#payment.quote;
    if (paper === undefined) {
      this.#find('payer-certificate-missing', "the payer's certificate is not readable here");
      return;
    }
    if ('fault' in paper) {
      this.#find('payer-certificate-invalid', paper.fault, payer);
      return;
    }
    if (time < paper.notBefore || time > paper.notAfter) {
      this.#find('payer-certificate-invalid', 'it was not valid when it paid', payer);
    }
    if (!verifyPayerSignature(this.#payment, paper.publicKey)) {
      this.#find('payer-signature', "the payer's signature does not verify", payer);
    }
    this.#notRevoked({ who: payer, serialNumber: paper.serialNumber });
  }

  /** Failure 34: without a list that was fresh, nobody's certificate could be believed. */
  listOfThen(): void {
    const { storedMs, isRestored } = this.#row;
    // When it was first taken here is lost with the records.
    if (isRestored) return;
    const stale = this.#context.revocations.payment(storedMs);
    if (stale !== undefined) this.#find('certificate-revoked', stale);
  }

  coinSignature(): void {
    const { coin } = this.#payment;
    const { issuer, coinId } = coin.body;
    const keys = this.#context.keys.coinKeys(issuer, coinIssuedSeconds(coinId));
    if (this.#isSigned(keys, (one) => coinKind.verify(coin, one))) return;
    this.#find(
      'coin-signature',
      keys.length === 0
        ? `no certificate of ${issuer} is known that was in force for its coin`
        : "the coin's signature does not verify",
      issuer,
    );
  }

  /** S23: our line follows from what we announced ourselves. */
  ownLine(announced: StoredPapers['ownAnnouncement']): void {
    const { station } = this.#context;
    const { quote } = this.#payment;
    const line = quote.bill.find((one) => one.station === station);
    if (line === undefined) return;
    if (announced === undefined) {
      this.#find('announcement-missing', 'our line names an announcement that is none of ours');
    } else if ('fault' in announced) {
      this.#find('announcement-invalid', announced.fault);
    } else if (!announced.servesAt(quote.time)) {
      this.#find('announcement-invalid', 'our line names a price that was not in force then');
    } else if (announced.fee !== line.fee || announced.currency !== quote.currency) {
      const { fee, currency } = announced;
      const given = `${line.fee} ${quote.currency}`;
      this.#find('fee-differs', `the bill gives us ${given}, we announced ${fee} ${currency}`);
    } else if (!announced.isKept && !this.#row.isRestored) {
      const detail = 'our line names an announcement that is not marked to be kept';
      this.#find('announcement-missing', detail);
    }
  }

  /** S34. */
  admission(): Admission | undefined {
    const { admission: bytes } = this.#row;
    if (bytes === undefined) {
      this.#find('admission-missing', 'no admission is stored');
      return undefined;
    }
    const { issuer } = this.#payment.coin.body;
    try {
      const found = admissionKind.decode(bytes);
      const { primitives, keys } = this.#context;
      const faults: string[] = [];
      const holds = (one: VerifyingKey): boolean => {
        const fault = admissionFault(primitives, this.#subject, found, one);
        if (fault !== undefined) faults.push(fault);
        return fault === undefined;
      };
      if (!this.#isSigned(keys.documentKeys(issuer, found.body.time), holds)) {
        const detail = faults[0] ?? `no certificate of ${issuer} is known for its admission`;
        this.#find('admission-invalid', detail, issuer);
      }
      return found;
    } catch (error) {
      this.#find('admission-invalid', messageOf(error));
      return undefined;
    }
  }

  /** The state against the word that it rests on. */
  verdict(): Receipt | undefined {
    const { state, receipt: bytes } = this.#row;
    if (state === 'refused') {
      this.#refusal();
      return undefined;
    }
    const decided = state === 'delivered' || state === 'undelivered';
    if (bytes === undefined) {
      if (decided) this.#find('receipt-missing', `it is ${state} without a receipt`);
      return undefined;
    }
    const last = this.#payment.quote.bill.at(-1)?.station;
    try {
      const found = receiptKind.decode(bytes);
      const fault = receiptFault(this.#context.primitives, this.#subject, found);
      if (fault !== undefined) this.#find('receipt-invalid', fault, last);
      if (found.body.verdict !== state) {
        this.#find('receipt-contradicts', `it is ${state}, its receipt says ${found.body.verdict}`);
      }
      return found;
    } catch (error) {
      this.#find('receipt-invalid', messageOf(error));
      return undefined;
    }
  }

  /** S37: the payee's card said that it holds the key; known where the payee is at home. */
  acknowledgement(verdict: Receipt | undefined, paper: StoredPapers['payee']): void {
    if (verdict?.body.verdict !== 'delivered') return;
    const { station } = verdict.body;
    const { role, isRestored } = this.#row;
    if (paper === undefined) {
      // With the records that a neighbour restored, users' papers may have been lost.
      if (role !== 'last' || isRestored) return;
      this.#find('payee-certificate-missing', "the payee's certificate is not readable here");
    } else if ('fault' in paper) {
      this.#find('acknowledgement-invalid', paper.fault, station);
    } else if (!acknowledgementHolds(this.#subject, verdict, paper.publicKey)) {
      this.#find('acknowledgement-invalid', 'the acknowledgement does not verify', station);
    }
  }

  times(admitted: Admission | undefined, verdict: Receipt | undefined): void {
    const { quote, coin } = this.#payment;
    const payerStation = homeStation(quote.payer);
    if (quote.expiry < quote.time || quote.deliveryDeadline < quote.expiry) {
      this.#find('times-broken', 'the quote is out of the order of its times', payerStation);
    }
    if (coin.body.expiry <= quote.time) {
      this.#find('times-broken', 'the coin had expired', payerStation);
    }
    if (admitted !== undefined && admitted.body.time > quote.expiry + skewSeconds) {
      this.#find('times-broken', 'admitted after the quote had expired', coin.body.issuer);
    }
    if (admitted !== undefined && admitted.body.time < quote.time - skewSeconds) {
      this.#find('times-broken', 'admitted before the quote was made', coin.body.issuer);
    }
    const late = quote.deliveryDeadline + skewSeconds;
    const storedAt = BigInt(Math.floor(this.#row.storedMs / 1_000));
    // It may have waited for the keys of its next link.
    if (storedAt < quote.time - skewSeconds || storedAt > late + skewSeconds) {
      this.#find('times-broken', 'stored at a time when nobody could have taken it');
    }
    if (verdict?.body.verdict === 'delivered' && verdict.body.time > late) {
      this.#find('times-broken', 'delivered after the deadline', verdict.body.station);
    }
  }

  #refusal(): void {
    const { refusal: bytes } = this.#row;
    const { keys, station } = this.#context;
    try {
      const found = bytes === undefined ? undefined : refusalKind.decode(bytes);
      const holds =
        found !== undefined &&
        equalBytes(found.body.paymentId, this.#paymentId) &&
        found.body.station === station &&
        keys.documentKeys(station, found.body.time).some((one) => refusalKind.verify(found, one));
      if (!holds) this.#find('refusal-invalid', 'it is refused without our own signed word');
    } catch (error) {
      this.#find('refusal-invalid', messageOf(error));
    }
  }

  /** By one of these keys; one whose certificate was revoked then counts only if no other does. */
  #isSigned(keys: readonly VerifyingKey[], verifies: (key: VerifyingKey) => boolean): boolean {
    const first = keys.find(verifies);
    if (first === undefined) return false;
    const isGood = (key: VerifyingKey): boolean => this.#objection(key) === undefined;
    if (isGood(first) || keys.some((one) => one !== first && isGood(one) && verifies(one))) {
      return true;
    }
    this.#notRevoked(this.#context.keys.certificateOf(first));
    return true;
  }

  #objection(key: VerifyingKey): string | undefined {
    const certificate = this.#context.keys.certificateOf(key);
    return certificate && this.#revocation(certificate);
  }

  #notRevoked(certificate: SeenCertificate | undefined): void {
    const why = certificate && this.#revocation(certificate);
    if (why !== undefined) this.#find('certificate-revoked', why);
  }

  #revocation(certificate: SeenCertificate): string | undefined {
    const { storedMs, isRestored } = this.#row;
    return isRestored ? undefined : this.#context.revocations.objection(certificate, storedMs);
  }

  get #subject(): { readonly payment: Payment; readonly paymentId: Uint8Array } {
    return { payment: this.#payment, paymentId: this.#paymentId };
  }

  #find(code: FindingCode, detail: string, party: Finding['party'] = this.#context.station): void {
    this.findings.push({ code, detail, paymentId: this.#row.paymentId, party });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unreadable';
}
