/**
 * What each command may be answered, beside the words that any command may get (`anyCommand`). A
 * status word in four digits; `x` stands for any one.
 */
import type { CardResult, CommandName } from './commands.ts';

export interface CommandAnswers {
  readonly words: readonly string[];
  /** Of a secure command: the first byte of its 9000 answer. */
  readonly results?: readonly CardResult[];
}

/** Whatever the command: its class, its chain, its length, its selection; a defect. */
export const anyCommand = [
  '61xx',
  '6700',
  '6881',
  '6882',
  '6883',
  '6985',
  '6Cxx',
  '6D00',
  '6E00',
  '6F00',
];

const reference = ['63Cx', '6581', '6700', '6983', '6984', '6A86'];
/** What any secure command may be answered; each has its results besides. */
export const secureWords = ['6581', '6700', '6982', '6A80', '6A86'];

export const commandAnswers: Readonly<Record<CommandName, CommandAnswers>> = {
  select: { words: ['9000', '6A82', '6A86'] },
  getData: { words: ['9000', '6700', '6982', '6A88'] },
  verify: { words: ['9000', ...reference] },
  changeReferenceData: { words: ['9000', ...reference, '6985'] },
  resetRetryCounter: { words: ['9000', ...reference] },
  getResponse: { words: ['9000', '61xx', '6700', '6985', '6A86', '6Cxx'] },
  authorise: { words: ['9000', '6982', '6A80', '6A86'] },
  deriveHostLink: { words: ['9000', '6700', '6982', '6985', '6A86'] },
  listPeerKeys: { words: ['9000', '6700', '6982', '6A86'] },
  deriveTraffic: { words: ['9000', '6581', '6982', '6985', '6A80', '6A86', '6A88'] },
  listCoins: { words: ['9000', '6700', '6982'] },
  erasePeerKey: { words: ['9000', '6581', '6700', '6982', '6985', '6A86', '6A88'] },
  checkSignature: { words: ['9000', '6982', '6A80', '6A86', '6A88'] },
  initializeUpdate: { words: ['9000', '6700', '6A86', '6A88'] },
  externalAuthenticate: { words: ['9000', '6982', '6985'] },
  putKey: {
    words: ['9000', ...secureWords, '6A88'],
    results: ['done', 'conflict', 'key-check-failed'],
  },
  generateKeyPair: { words: ['9000', ...secureWords], results: ['done', 'not-initialised'] },
  attest: { words: ['9000', ...secureWords], results: ['done', 'no-device-key', 'not-found'] },
  putCertificate: { words: ['9000', ...secureWords], results: ['done', 'conflict'] },
  putProfile: { words: ['9000', ...secureWords], results: ['done', 'conflict', 'not-initialised'] },
  putHandle: { words: ['9000', ...secureWords], results: ['done'] },
  loadCoins: {
    words: ['9000', ...secureWords],
    results: ['done', 'conflict', 'not-enrolled', 'not-unspent', 'pool-full'],
  },
  pay: {
    words: ['9000', ...secureWords],
    results: [
      'done',
      'not-enrolled',
      'not-authorised',
      'wrong-network',
      'wrong-payer',
      'wrong-station',
      'wrong-currency',
      'payment-limit-exceeded',
      'day-limit-exceeded',
      'peer-keys-full',
      'no-matching-coin',
    ],
  },
  offer: {
    words: ['9000', ...secureWords],
    results: [
      'done',
      'not-enrolled',
      'conflict',
      'already-concluded',
      'commitment-mismatch',
      'peer-keys-full',
    ],
  },
  conclude: {
    words: ['9000', ...secureWords],
    results: [
      'done',
      'not-enrolled',
      'not-found',
      'wrong-station',
      'signature-invalid',
      'already-concluded',
    ],
  },
  queryJournal: { words: ['9000', ...secureWords], results: ['done', 'not-enrolled'] },
  retireCoins: {
    words: ['9000', ...secureWords],
    results: ['done', 'not-enrolled', 'not-authorised', 'not-unspent', 'not-found'],
  },
  eraseCoins: {
    words: ['9000', ...secureWords],
    results: ['done', 'not-enrolled', 'not-unspent', 'conflict'],
  },
};

/** Whether the specification lets a card answer this command so. */
export function mayAnswer(name: CommandName, sw: number): boolean {
  const digits = sw.toString(16).toUpperCase().padStart(4, '0');
  return [...commandAnswers[name].words, ...anyCommand].some((word) =>
    new RegExp(`^${word.replaceAll('x', '.')}$`).test(digits),
  );
}
