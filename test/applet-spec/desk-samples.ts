/**
 * One message of each kind, with everything that may be in it: the compiler asks for every kind.
 */
import { fromHex } from '../../applet-spec/bytes.ts';
import { coin } from '../../applet-spec/coin.ts';
import {
  deskMessage,
  hostMessage,
  type DeskMessage,
  type HostMessage,
  type PaymentRecord,
} from '../../applet-spec/desk-messages.ts';
import { toCurrency, toStationName, toUserName } from '../../applet-spec/names.ts';
import { payment } from '../../applet-spec/payment.ts';
import { acceptance, quote } from '../../applet-spec/quote.ts';
import { admission, receipt, refusal } from '../../applet-spec/receipt.ts';
import { vectors } from './object-vectors.ts';

type Samples<M extends { readonly kind: string; readonly content: unknown }> = {
  readonly [K in M['kind']]: Extract<M, { readonly kind: K }>['content'];
};

function bytesOf(comment: string): Uint8Array {
  const vector = [...vectors.objects, ...vectors.payments].find((one) => one.comment === comment);
  if (vector === undefined) throw new Error(`no vector: ${comment}`);
  return fromHex(vector.hex);
}

const requestId = 7n;
const orderId = new Uint8Array(16).fill(1);
const paymentId = new Uint8Array(32).fill(2);
const apdu = fromHex('80500000');
const some = new Uint8Array(300).fill(3);
const lines = [{ value: 500n, count: 3 }];
const q1 = toStationName('q1');
const alice = toUserName('alice@q1');
const aCoin = coin.decode(bytesOf('a coin of 655.36 EUR'));
const retirement = { orderId, operation: 'refund', coinIds: [aCoin.body.coinId] } as const;

const record: PaymentRecord = {
  payment: payment.decode(bytesOf('the same, as it is kept')),
  admission: admission.decode(bytesOf('the second, of our payment')),
  receipt: receipt.decode(bytesOf('a receipt: delivered')),
  refusal: refusal.decode(bytesOf('a refusal by q1')),
  standing: 'delivered',
};

export const hostSamples: Samples<HostMessage> = {
  hello: { version: 1, cardIdentifier: orderId, hostNonce: orderId },
  answer: { exchange: 1n, apdu },
  account: { requestId },
  buy: { requestId, orderId, lines },
  quote: { requestId, payee: toUserName('bob@q3'), minimumSuite: 'otp', avoid: [q1] },
  pay: { requestId, quoteDigest: paymentId },
  payment: { requestId, paymentId },
  coins: { requestId, after: orderId },
  refund: { requestId, retirement },
  exchange: { requestId, retirement: { ...retirement, operation: 'exchange' }, lines },
  payments: { requestId, since: 0n },
  bye: {},
  station: { requestId },
};

export const deskSamples: Samples<DeskMessage> = {
  command: { exchange: 0n, apdu },
  established: { station: q1 },
  account: {
    requestId,
    user: alice,
    station: q1,
    network: 'demo',
    currency: toCurrency('EUR'),
    balance: 5n,
    coinsOutstanding: 2n,
    valueOutstanding: 9n,
    certificateEnd: 1_800_000_000n,
  },
  coinsLoaded: { orderId, loaded: 1n, of: 3n, coins: [aCoin] },
  ordered: { requestId, orderId, balance: 12n },
  quote: {
    requestId,
    quote: quote.decode(bytesOf('a quote over three stations, one of them free')),
    acceptance: acceptance.decode(bytesOf('an acceptance by q3')),
    stationCertificate: some,
    payeeStationCertificate: some,
    crl: some,
  },
  paid: { requestId, record },
  payment: { requestId, record },
  coins: { requestId, coins: [aCoin, aCoin], more: 1 },
  refunded: { requestId, orderId, balance: 0n },
  exchanged: { requestId, orderId },
  payments: { requestId, records: [record], next: 4n, more: 0 },
  refused: { requestId, code: 'no-route', message: 'Kein Weg führt nach q3.' },
  concluded: { record, role: 'payer', replacement: aCoin },
  station: {
    requestId,
    documentCertificate: some,
    coinCertificate: some,
    crl: some,
    formerCertificates: [some],
  },
  enrolled: { user: alice, station: q1 },
  bye: { code: 'stopping', message: 'Good-bye.' },
};

interface Message {
  readonly kind: string;
  readonly content: object;
}

/** A sample and its bytes, whichever end it is of. */
export interface EncodedSample extends Message {
  readonly bytes: Uint8Array;
  decode(bytes: Uint8Array): Message;
  /** Decodes, and encodes what came out. */
  again(bytes: Uint8Array): Uint8Array;
}

function encodedSamples<M extends Message>(
  codec: { encode(message: M): Uint8Array; decode(bytes: Uint8Array): M },
  samples: Readonly<Record<string, object>>,
): EncodedSample[] {
  // Kinds and contents were checked against each other where the samples stand.
  const isOurs = (message: Message): message is M => Object.hasOwn(samples, message.kind);
  return Object.entries(samples).map(([kind, content]) => {
    const message: Message = { kind, content };
    if (!isOurs(message)) throw new Error(`no such kind: ${kind}`);
    return {
      kind,
      content,
      bytes: codec.encode(message),
      decode: (bytes) => codec.decode(bytes),
      again: (bytes) => codec.encode(codec.decode(bytes)),
    };
  });
}

export const encodedHostSamples = encodedSamples<HostMessage>(hostMessage, hostSamples);
export const encodedDeskSamples = encodedSamples<DeskMessage>(deskMessage, deskSamples);
