/** ISO/IEC 7816-4 §5.6 status words that the applet answers, and their names for people. */
export const statusWords = {
  done: 0x9000,
  'wrong-length': 0x6700,
  'logical-channel-not-supported': 0x6881,
  'secure-messaging-not-supported': 0x6882,
  'last-command-of-chain-expected': 0x6883,
  'chaining-not-supported': 0x6884,
  'security-status-not-satisfied': 0x6982,
  'authentication-blocked': 0x6983,
  'reference-data-not-usable': 0x6984,
  'conditions-of-use-not-satisfied': 0x6985,
  'secure-messaging-objects-missing': 0x6987,
  'secure-messaging-objects-incorrect': 0x6988,
  'incorrect-data': 0x6a80,
  'function-not-supported': 0x6a81,
  'application-not-found': 0x6a82,
  'not-enough-memory': 0x6a84,
  'incorrect-parameters': 0x6a86,
  'lc-inconsistent': 0x6a87,
  'reference-data-not-found': 0x6a88,
  'wrong-parameters': 0x6b00,
  'instruction-not-supported': 0x6d00,
  'class-not-supported': 0x6e00,
  'card-fault': 0x6f00,
  'memory-failure': 0x6581,
} as const;

export type StatusWordName = keyof typeof statusWords;

/** 63Cx: the reference data did not match; x tries are left. */
export function triesLeft(sw: number): number | undefined {
  return (sw & 0xfff0) === 0x63c0 ? sw & 0x0f : undefined;
}

export function wrongReference(tries: number): number {
  return 0x63c0 | tries;
}

const names = new Map<number, StatusWordName>(
  Object.entries(statusWords).map(([name, sw]) => [sw, name as StatusWordName]),
);

/** `6982 security-status-not-satisfied`, for messages and reports. */
export function describeStatusWord(sw: number): string {
  const digits = sw.toString(16).toUpperCase().padStart(4, '0');
  const tries = triesLeft(sw);
  const name = tries === undefined ? names.get(sw) : `wrong-reference, ${tries} tries left`;
  return name === undefined ? digits : `${digits} ${name}`;
}
