/** One payment of a wallet, recomputed from signed evidence alone (S6). Pure. */
import { equalBytes, toHex } from '../../applet-spec/bytes.ts';
import { coin as coinKind } from '../../applet-spec/coin.ts';
import { homeStation, type UserName } from '../../applet-spec/names.ts';
import { paymentIdOf } from '../../applet-spec/payment.ts';
import {
  admissionFault,
  contentFaults,
  receiptFault,
  routeFault,
} from '../../applet-spec/payment-evidence.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import { acceptance as acceptanceKind, quote as quoteKind } from '../../applet-spec/quote.ts';
import { refusal as refusalKind } from '../../applet-spec/receipt.ts';
import type { WalletPayment } from '../wallet/wallet-payments.ts';
import type { WalletQuote } from '../wallet/wallet-quotes.ts';
import type { KnownStations } from './known-stations.ts';
import type { WalletFinding, WalletFindingCode } from './wallet-finding.ts';

export interface WalletAuditContext {
  readonly user: UserName;
  readonly network: string;
  readonly primitives: Primitives;
  readonly stations: KnownStations;
  /** By payment ID in hexadecimal: what the card said of its own signatures. */
  readonly ownSignatures: ReadonlyMap<string, boolean>;
}

export interface AuditedWalletPayment {
  readonly findings: readonly WalletFinding[];
  /**
   * Signatures that nothing in the wallet can check, such as those of a payer's foreign station.
   */
  readonly unchecked: readonly string[];
}

export function auditWalletPayment(
  context: WalletAuditContext,
  kept: WalletPayment,
  offered: WalletQuote | undefined,
): AuditedWalletPayment {
  const audit = new WalletPaymentAudit(context, kept);
  audit.content();
  audit.ownSignature();
  audit.quote(offered);
  audit.coin();
  audit.admission();
  audit.verdict();
  return audit;
}

class WalletPaymentAudit implements AuditedWalletPayment {
  readonly findings: WalletFinding[] = [];
  readonly unchecked: string[] = [];
  readonly #context: WalletAuditContext;
  readonly #kept: WalletPayment;
  readonly #paymentId: Uint8Array;

  constructor(context: WalletAuditContext, kept: WalletPayment) {
    this.#context = context;
    this.#kept = kept;
    this.#paymentId = paymentIdOf(context.primitives, kept.payment.transactionBytes);
  }

  content(): void {
    const { primitives, network, user } = this.#context;
    const { payment, paymentId, role } = this.#kept;
    if (!equalBytes(paymentId, this.#paymentId)) {
      this.#find('payment-id-differs', `its content is payment ${toHex(this.#paymentId)}`);
    }
    for (const { code, detail } of contentFaults(primitives, payment, network)) {
      this.#find(code, detail);
    }
    const route = routeFault(payment);
    if (route !== undefined) this.#find('route-broken', route);
    if (payment.quote[role] !== user) this.#find('not-ours', `${user} is not its ${role}`);
  }

  /**
   * The certificate, and so the key, of a user never leaves the card but sealed (requirement 4):
   * the payer's card, or the payee's of its acknowledgement, is asked apart.
   */
  ownSignature(): void {
    const { role, paymentId } = this.#kept;
    const own = this.#context.ownSignatures.get(toHex(paymentId));
    if (role === 'payee') this.unchecked.push('payer signature');
    const what = role === 'payer' ? 'payer signature' : 'own acknowledgement';
    const acknowledged = this.#kept.receipt?.body.acknowledgement !== undefined;
    if (own === undefined && (role === 'payer' || acknowledged)) this.unchecked.push(what);
    if (own === false) {
      this.#find('own-signature', `the ${what} is not this card's`, this.#context.user);
    }
  }

  /**
   * The offer that was accepted, where the payer's wallet still has it: it names both stations'
   * keys.
   */
  quote(offered: WalletQuote | undefined): void {
    const { stations } = this.#context;
    const { payment, role } = this.#kept;
    const { payer, payee, payeeStationKey } = payment.quote;
    if (role === 'payer' && offered !== undefined) {
      const first = homeStation(payer);
      const last = homeStation(payee);
      const document = 'station-document';
      const fault =
        stations.learn(offered.stationCertificate, document, first) ??
        stations.learn(offered.payeeStationCertificate, document, last);
      if (fault !== undefined) this.#find('station-certificate', fault);
      if (!stations.keysOf(document, first).some((one) => quoteKind.verify(offered.quote, one))) {
        this.#find('quote-invalid', "the quote's signature does not verify", first);
      }
      const welcome = stations
        .keysOf(document, last)
        .some((one) => acceptanceKind.verify(offered.acceptance, one));
      if (!welcome) this.#find('quote-invalid', 'the acceptance does not verify', last);
      if (!equalBytes(offered.quote.bodyBytes, payment.quoteBytes)) {
        this.#find('quote-invalid', 'another quote was offered than was paid');
      }
    }
    const lastKeys = stations.keysOf('station-document', homeStation(payee));
    if (lastKeys.length === 0) this.unchecked.push('certificate of the last station');
    else if (!lastKeys.some((one) => equalBytes(one.publicKey, payeeStationKey))) {
      this.#find('quote-invalid', 'the quote names another key for the last station');
    }
  }

  coin(): void {
    const { coin } = this.#kept.payment;
    const { issuer } = coin.body;
    const keys = this.#context.stations.keysOf('station-coin', issuer);
    if (keys.length === 0) this.unchecked.push('coin signature');
    else if (!keys.some((one) => coinKind.verify(coin, one))) {
      this.#find('coin-signature', "the coin's signature does not verify", issuer);
    }
  }

  /** S34: what makes the issuer owe every line. */
  admission(): void {
    const { stations, primitives } = this.#context;
    const { admission, standing, role, payment } = this.#kept;
    if (admission === undefined) {
      if (role === 'payer' && standing !== 'refused') {
        this.#find('admission-missing', 'no admission is stored');
      }
      return;
    }
    const { issuer } = payment.coin.body;
    const faults = stations
      .keysOf('station-document', issuer)
      .map((one) => admissionFault(primitives, this.#subject, admission, one));
    if (faults.length === 0) this.unchecked.push('admission');
    else if (!faults.includes(undefined)) {
      this.#find('admission-invalid', faults[0] ?? 'it does not verify', issuer);
    }
  }

  /** What the wallet calls the payment, against the word that it rests on. */
  verdict(): void {
    const { receipt, standing, payment } = this.#kept;
    if (standing === 'refused') {
      this.#refusal();
      return;
    }
    if (receipt === undefined) {
      if (standing === 'delivered' || standing === 'undelivered') {
        this.#find('receipt-missing', `it is ${standing} without a receipt`);
      }
      return;
    }
    const last = payment.quote.bill.at(-1)?.station;
    const fault = receiptFault(this.#context.primitives, this.#subject, receipt);
    if (fault !== undefined) this.#find('receipt-invalid', fault, last);
    if (receipt.body.verdict !== standing) {
      const detail = `it is ${standing}, its receipt says ${receipt.body.verdict}`;
      this.#find('receipt-contradicts', detail);
    }
  }

  #refusal(): void {
    const { refusal, payment } = this.#kept;
    const first = homeStation(payment.quote.payer);
    const keys = this.#context.stations.keysOf('station-document', first);
    const holds =
      refusal !== undefined &&
      equalBytes(refusal.body.paymentId, this.#paymentId) &&
      refusal.body.station === first &&
      keys.some((one) => refusalKind.verify(refusal, one));
    if (!holds) this.#find('refusal-invalid', 'it is refused without a signed refusal', first);
  }

  get #subject() {
    return { payment: this.#kept.payment, paymentId: this.#paymentId };
  }

  #find(code: WalletFindingCode, detail: string, party?: string): void {
    const paymentId = toHex(this.#kept.paymentId);
    this.findings.push({ code, detail, paymentId, ...(party !== undefined && { party }) });
  }
}
