/**
 * What a user can ask of the host, and what comes back: the words between a command and the agent,
 * and exactly what `--json` prints. Amounts are decimal strings of minor units, IDs lower-case
 * hexadecimal, times ISO 8601 in UTC, bytes base64.
 */
import { z } from 'zod';
import { limits } from '../../applet-spec/limits.ts';
import { isStationName, isUserName } from '../../applet-spec/names.ts';

const amount = z.string().regex(/^(?:0|[1-9][0-9]{0,19})$/);
const hex = (bytes: number): z.ZodString =>
  z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const quoteId = hex(16);
const paymentId = hex(32);
const orderId = hex(16);
const user = z.string().refine(isUserName, 'expected name@station, such as alice@q1');
const station = z.string().refine(isStationName, 'expected a station name, such as q1');
const suite = z.enum(['aes', 'otp-secret', 'otp']);
const base64 = z.base64();
/** PIN or PUK: the card's session says what is wrong with its length. */
const reference = z.string();

/** As long as any coin lives (`daemon/station/config.ts` allows ten years). */
export const renewDaysMost = 3_650;

const orderLine = z.object({ value: amount, count: z.int().min(1).max(limits.orderCoins) });
const orderLines = z.array(orderLine).min(1).max(limits.orderLines);
const billLine = z.object({ station: z.string(), fee: amount });
const denomination = z.object({ value: amount, count: z.int() });
const role = z.enum(['payer', 'payee']);
const standing = z.enum(['admitted', 'relayed', 'delivered', 'undelivered', 'refused']);
const none = z.object({});

const owner = z.object({
  user: z.string(),
  homeStation: z.string(),
  network: z.string(),
  currency: z.string(),
  paymentLimit: amount,
  dayLimit: amount,
});
const cardInfo = z.object({
  reader: z.string(),
  lifeCycle: z.enum(['blank', 'initialised', 'enrolled', 'blocked']),
  identifier: hex(16),
  pinTries: z.int(),
  pukTries: z.int(),
  coins: z.int(),
  coinsCapacity: z.int(),
  peerKeys: z.int(),
  peerKeysCapacity: z.int(),
  /** Once the PIN has been verified. */
  owner: owner.optional(),
});
/** The user's own: when it ends, and whole days until then, below 0 once it has ended. */
const certificate = z.object({ ends: z.string(), daysLeft: z.int() });
const connection = z.object({
  station: z.string(),
  url: z.string(),
  user: z.string(),
  network: z.string(),
  currency: z.string(),
  balance: amount,
  coinsOnCard: z.int(),
  /** Each was made, and held: a connection with one that does not hold is refused. */
  checks: z.array(z.string()),
  /** Where the station says it. */
  certificate: certificate.optional(),
});
const balance = z.object({
  user: z.string(),
  currency: z.string(),
  account: amount,
  coins: z.int(),
  coinsValue: amount,
  /** On the card and worth nothing there: their value is in the account, or soon will be. */
  expired: z.object({ coins: z.int(), value: amount }),
  /** Unspent on the card, but not for the station: they pay nothing, and are in no other sum. */
  unknown: z.object({ coins: z.int(), value: amount }),
  /** Unspent on the card for the station, and not there. */
  missing: z.object({ coins: z.int(), value: amount }),
  coinsCapacity: z.int(),
  denominations: z.array(denomination),
  /** Near their end, `first` of them at that time: exchanged by themselves, or by `renew`. */
  ending: z.object({ coins: z.int(), value: amount, first: z.string().optional() }),
  /** Where the station says it. */
  certificate: certificate.optional(),
});
const order = z.object({
  /** The last one, where it took more than one. */
  orderId,
  coins: z.int(),
  value: amount,
  currency: z.string(),
  balance: amount,
});
const quote = z.object({
  quoteId,
  payer: z.string(),
  payee: z.string(),
  bill: z.array(billLine),
  total: amount,
  currency: z.string(),
  minimumSuite: suite,
  expires: z.string(),
  deliveryDeadline: z.string(),
  /** Coins on the card of exactly the total. */
  matchingCoins: z.int(),
});
const payment = z.object({
  paymentId,
  role,
  payer: z.string(),
  payee: z.string(),
  bill: z.array(billLine),
  total: amount,
  currency: z.string(),
  coinValue: amount,
  standing,
  /** The last station's reason, or the issuer's, where no key was delivered. */
  reason: z.string().optional(),
  time: z.string(),
});
const peerKey = z.object({
  paymentId,
  peer: z.string(),
  role,
  state: z.enum(['provisional', 'active', 'burned']),
  check: hex(8).optional(),
  sendEpoch: z.string(),
  /** Absent for a key whose payment the wallet has not got. */
  standing: standing.optional(),
});
const sealed = z.object({ paymentId, peer: z.string(), epoch: z.string(), message: base64 });
const opened = z.object({ paymentId, peer: z.string(), epoch: z.string(), plaintext: base64 });

/** Each errand's parameters and result. */
export const errands = {
  'card-info': { params: none, result: cardInfo },
  'card-init': {
    params: z.object({
      newPin: reference,
      /** Needed by a card that has none. */
      newPuk: reference.optional(),
      stationUrl: z.string().max(2_048),
      rootCertificate: base64,
    }),
    /** `pukSet`: false where the card had one before, which stays, whatever was given now. */
    result: connection.extend({ enrolled: z.boolean(), pukSet: z.boolean() }),
  },
  'pin-change': { params: z.object({ oldPin: reference, newPin: reference }), result: none },
  'pin-unblock': { params: z.object({ puk: reference, newPin: reference }), result: none },
  'puk-change': { params: z.object({ oldPuk: reference, newPuk: reference }), result: none },
  connect: { params: none, result: connection },
  balance: { params: none, result: balance },
  buy: { params: z.object({ lines: orderLines }), result: order },
  exchange: { params: z.object({ lines: orderLines }), result: order },
  refund: { params: z.object({ lines: orderLines }), result: order },
  renew: {
    params: z.object({ withinDays: z.int().min(0).max(renewDaysMost).optional() }),
    /** `left`: near their end still, because they end too soon or an order waits for its end. */
    result: z.object({ coins: z.int(), value: amount, currency: z.string(), left: z.int() }),
  },
  quote: {
    params: z.object({
      payee: user,
      minimumSuite: suite,
      avoid: z.array(station).max(limits.routeStationsMost),
    }),
    result: quote,
  },
  'show-quote': { params: z.object({ quoteId }), result: quote },
  pay: {
    params: z.object({
      quoteId,
      exchange: z.boolean(),
      waitMs: z.int().min(0).max(86_400_000),
      /** A quote that asks more is refused. */
      atMost: amount.optional(),
    }),
    result: payment,
  },
  payments: { params: none, result: z.object({ payments: z.array(payment) }) },
  keys: { params: none, result: z.object({ keys: z.array(peerKey) }) },
  'erase-key': { params: z.object({ paymentId }), result: none },
  /** Of each payment that this card signed or acknowledged, whether the signature is its own. */
  'check-signatures': {
    params: none,
    result: z.object({ checked: z.array(z.object({ paymentId, own: z.boolean() })) }),
  },
  send: {
    params: z.object({
      to: z.union([z.object({ peer: user }), z.object({ paymentId })]),
      plaintext: base64,
    }),
    result: sealed,
  },
  receive: { params: z.object({ message: base64 }), result: opened },
} as const;

export type ErrandName = keyof typeof errands;
export type ErrandParams<N extends ErrandName> = z.output<(typeof errands)[N]['params']>;
export type ErrandResult<N extends ErrandName> = z.output<(typeof errands)[N]['result']>;

/** The same, so typed that a schema picked by a name gives that errand's type. */
export const errandSchemas: {
  readonly [N in ErrandName]: {
    readonly params: z.ZodType<ErrandParams<N>>;
    readonly result: z.ZodType<ErrandResult<N>>;
  };
} = errands;

/** How far an order has come. */
export const errandProgress = z.object({ loaded: z.int(), of: z.int() });
export type ErrandProgress = z.output<typeof errandProgress>;

/** How an errand that has no result ended; the exit codes of commands follow from it. */
export const failureOutcomes = ['fault', 'usage', 'refused', 'unknown'] as const;
export const errandFailure = z.object({
  outcome: z.enum(failureOutcomes),
  code: z.string(),
  message: z.string(),
  triesLeft: z.int().optional(),
});
export type ErrandFailure = z.output<typeof errandFailure>;

/** Who runs errands: the host in this process, or the agent behind its socket. */
export interface ErrandRunner {
  /** Throws ErrandError. `pin` is taken where the card has not verified one. */
  run<N extends ErrandName>(
    name: N,
    params: ErrandParams<N>,
    options?: { readonly pin?: string; readonly onProgress?: (progress: ErrandProgress) => void },
  ): Promise<ErrandResult<N>>;
  close(): Promise<void>;
}
