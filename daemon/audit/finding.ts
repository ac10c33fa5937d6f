/**
 * What an audit found to be wrong: one sentence, the payment that it is about, and who answers for
 * it.
 */
import { toHex } from '../../applet-spec/bytes.ts';
import type { StationName, UserName } from '../../applet-spec/names.ts';
import type { ContentFaultCode } from '../../applet-spec/payment-evidence.ts';

export type FindingCode =
  | ContentFaultCode
  // A stored payment
  | 'undecodable'
  | 'payment-id-differs'
  | 'row-differs'
  | 'route-broken'
  | 'times-broken'
  | 'payer-certificate-missing'
  | 'payer-certificate-invalid'
  | 'payer-signature'
  | 'certificate-revoked'
  | 'payee-certificate-missing'
  | 'coin-signature'
  | 'line-missing'
  | 'announcement-missing'
  | 'announcement-invalid'
  | 'fee-differs'
  | 'admission-missing'
  | 'admission-invalid'
  | 'receipt-missing'
  | 'receipt-invalid'
  | 'receipt-contradicts'
  | 'acknowledgement-invalid'
  | 'refusal-invalid'
  | 'coin-used-twice'
  | 'two-verdicts'
  | 'tombstone-invalid'
  // The issuer's coins
  | 'coin-unknown'
  | 'coin-differs-from-record'
  | 'coin-owner'
  | 'coin-state'
  | 'coin-replacement'
  | 'exchange-sums-differ'
  | 'refund-sums-differ'
  | 'order-differs'
  | 'user-differs'
  // The books
  | 'transfer-missing'
  | 'transfer-unexplained'
  | 'transfers-differ'
  | 'account-total-differs'
  | 'account-overdrawn'
  | 'booked-too-early'
  | 'trial-balance'
  | 'conservation'
  // Settlement
  | 'window-sequence'
  | 'window-total-differs'
  | 'agreement-invalid'
  | 'claim-invalid'
  | 'claimed-twice'
  | 'position-differs'
  | 'reference-differs'
  // The log
  | 'leaf-missing'
  | 'leaf-twice'
  | 'leaf-differs'
  | 'tile-differs'
  | 'checkpoint-invalid'
  | 'checkpoint-differs'
  | 'log-cut-short'
  | 'two-logs'
  // What the audit needs and the store has not
  | 'station-certificate'
  | 'revocation-list'
  | 'store-inconsistent';

export interface Finding {
  readonly code: FindingCode;
  readonly detail: string;
  readonly paymentId?: Uint8Array;
  /** Who answers for it, where that can be told. */
  readonly party?: StationName | UserName;
}

export interface FindingReport {
  readonly code: FindingCode;
  readonly detail: string;
  readonly paymentId?: string;
  readonly party?: string;
}

export function findingReport({ code, detail, paymentId, party }: Finding): FindingReport {
  return {
    code,
    detail,
    ...(paymentId !== undefined && { paymentId: toHex(paymentId) }),
    ...(party !== undefined && { party }),
  };
}
