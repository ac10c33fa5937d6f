import type { ContentFaultCode } from '../../applet-spec/payment-evidence.ts';

export type WalletFindingCode =
  | ContentFaultCode
  | 'undecodable'
  | 'payment-id-differs'
  | 'route-broken'
  | 'not-ours'
  | 'own-signature'
  | 'quote-invalid'
  | 'coin-signature'
  | 'coin-used-twice'
  | 'coin-state'
  | 'admission-missing'
  | 'admission-invalid'
  | 'receipt-missing'
  | 'receipt-invalid'
  | 'receipt-contradicts'
  | 'refusal-invalid'
  | 'station-certificate';

/** What an audit of a wallet found to be wrong, and who answers for it where that can be told. */
export interface WalletFinding {
  readonly code: WalletFindingCode;
  readonly detail: string;
  /** Hexadecimal. */
  readonly paymentId?: string;
  readonly party?: string;
}
