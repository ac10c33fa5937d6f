/** Money as people read it; everything that programs read is in minor units. */

/** Decimal places of the currencies that have not two (ISO 4217, table A.1). */
const decimals: Readonly<Record<string, number>> = {
  BIF: 0,
  CLP: 0,
  DJF: 0,
  GNF: 0,
  ISK: 0,
  JPY: 0,
  KMF: 0,
  KRW: 0,
  PYG: 0,
  RWF: 0,
  UGX: 0,
  UYI: 0,
  VND: 0,
  VUV: 0,
  XAF: 0,
  XOF: 0,
  XPF: 0,
  BHD: 3,
  IQD: 3,
  JOD: 3,
  KWD: 3,
  LYD: 3,
  OMR: 3,
  TND: 3,
  CLF: 4,
  UYW: 4,
};

/** `EUR 12.30` of 1230 minor units, `EUR -0.05` of -5. */
export function formatMoney(minorUnits: bigint | string, currency: string): string {
  const places = decimals[currency] ?? 2;
  const text = minorUnits.toString();
  const sign = text.startsWith('-') ? '-' : '';
  const digits = text.slice(sign.length).padStart(places + 1, '0');
  if (places === 0) return `${currency} ${sign}${digits}`;
  return `${currency} ${sign}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}
