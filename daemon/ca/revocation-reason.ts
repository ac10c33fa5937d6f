/** Why a certificate is revoked, as CRLs say it (RFC 5280 §5.3.1). */
export const revocationReasons = [
  'key-compromise',
  'superseded',
  'cessation-of-operation',
] as const;
export type RevocationReason = (typeof revocationReasons)[number];
