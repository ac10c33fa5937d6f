/**
 * What the stations of a test sign: certificates, coins, quotes, verdicts. One CA, two stations.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { uintToBytes } from '../../../applet-spec/bytes.ts';
import type { LoadedCoin, PayAnswer } from '../../../applet-spec/card-objects.ts';
import type { Clock } from '../../../applet-spec/clock.ts';
import { coin, commitmentOf, makeCoinId, type Coin } from '../../../applet-spec/coin.ts';
import type { PaymentRecord, QuoteReply } from '../../../applet-spec/desk-messages.ts';
import {
  headNow,
  toCurrency,
  toStationName,
  toUserName,
  type Suite,
  type UserName,
} from '../../../applet-spec/names.ts';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import { paymentIdOf, transaction, type Payment } from '../../../applet-spec/payment.ts';
import type { Entropy } from '../../../applet-spec/primitives.ts';
import {
  acceptance,
  quote,
  type AcceptanceBody,
  type Quote,
  type QuoteBody,
} from '../../../applet-spec/quote.ts';
import { admission, receipt } from '../../../applet-spec/receipt.ts';
import { signBatch } from '../../../applet-spec/signed-object.ts';
import { decodeElement } from '../../../applet-spec/tlv.ts';
import { CertificateAuthority } from '../../../daemon/ca/certificate-authority.ts';

export const q1 = toStationName('q1');
export const q2 = toStationName('q2');
export const alice = toUserName('alice@q1');
export const bob = toUserName('bob@q2');
export const network = 'test';
export const euro = toCurrency('EUR');

const keyFrom = (byte: number) => primitives.signingKey(new Uint8Array(32).fill(byte));
/** Q1's key for coins, both stations' keys for documents. */
export const coinKey = keyFrom(0x41);
export const q1Key = keyFrom(0x42);
export const q2Key = keyFrom(0x43);
export const strangerKey = keyFrom(0x44);

export interface Issued {
  readonly coin: Coin;
  readonly loaded: LoadedCoin;
}

export class Papers {
  readonly ca: CertificateAuthority;
  readonly q1Document: Uint8Array;
  readonly q1Coin: Uint8Array;
  readonly q2Document: Uint8Array;
  readonly userCertificates = new Map<UserName, Uint8Array>();
  crl: Uint8Array;
  /** How long the coins issued from now on are good. */
  coinLifeSeconds = 1_000_000n;
  readonly #clock: Clock;
  readonly #entropy: Entropy;
  readonly #folder: string;

  private constructor(
    ca: CertificateAuthority,
    papers: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array],
    seams: { readonly clock: Clock; readonly entropy: Entropy },
    folder: string,
  ) {
    this.ca = ca;
    [this.q1Document, this.q1Coin, this.q2Document, this.crl] = papers;
    this.#clock = seams.clock;
    this.#entropy = seams.entropy;
    this.#folder = folder;
  }

  static async open(seams: { readonly clock: Clock; readonly entropy: Entropy }): Promise<Papers> {
    const folder = mkdtempSync(join(tmpdir(), 'keytoll-papers-'));
    const ca = await CertificateAuthority.init(join(folder, 'ca'), { ...seams, name: network });
    const document = 'station-document';
    return new Papers(
      ca,
      [
        await ca.issue({ role: document, name: q1, publicKey: q1Key.publicKey }),
        await ca.issue({ role: 'station-coin', name: q1, publicKey: coinKey.publicKey }),
        await ca.issue({ role: document, name: q2, publicKey: q2Key.publicKey }),
        await ca.freshCrl(),
      ],
      seams,
      folder,
    );
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get nowSeconds(): bigint {
    return BigInt(Math.floor(this.#clock.nowMs() / 1_000));
  }

  issueCoin(value: bigint, key = coinKey): Issued {
    const coinId = makeCoinId(this.#clock.nowMs(), this.#entropy.randomBytes(10));
    const secret = this.#entropy.randomBytes(32);
    const expiry = this.nowSeconds + this.coinLifeSeconds;
    const commitment = commitmentOf(primitives, coinId, secret);
    const body = { ...headNow, network, coinId, issuer: q1, value, currency: euro };
    return {
      coin: coin.sign({ ...body, commitment, expiry }, key),
      loaded: { coinId, secret, value, expiry },
    };
  }

  quoteReply(
    fees: readonly [bigint, bigint],
    wish: { readonly payee: UserName; readonly minimumSuite: Suite },
    changes: { readonly quote?: Partial<QuoteBody>; readonly acceptance?: Partial<AcceptanceBody> },
  ): Omit<QuoteReply, 'requestId'> {
    const time = this.nowSeconds;
    const acceptanceId = this.#entropy.randomBytes(16);
    const payeeCertificate = primitives.sha256(uintToBytes(7n, 1));
    const offered = acceptance.sign(
      {
        ...headNow,
        network,
        acceptanceId,
        payer: alice,
        payee: wish.payee,
        payeeStation: q2,
        payeeCertificate,
        time,
        expiry: time + 120n,
        ...changes.acceptance,
      },
      q2Key,
    );
    const terms = quote.sign(
      {
        ...headNow,
        network,
        quoteId: this.#entropy.randomBytes(16),
        payer: alice,
        payee: wish.payee,
        currency: euro,
        bill: [
          { station: q1, fee: fees[0], announcement: new Uint8Array(16) },
          { station: q2, fee: fees[1], announcement: new Uint8Array(16) },
        ],
        time,
        expiry: time + 60n,
        deliveryDeadline: time + 120n,
        resolutionDeadline: time + 86_400n,
        minimumSuite: wish.minimumSuite,
        acceptanceId,
        payeeCertificate,
        payeeStationKey: q2Key.publicKey,
        ...changes.quote,
      },
      q1Key,
    );
    return {
      quote: terms,
      acceptance: offered,
      stationCertificate: this.q1Document,
      payeeStationCertificate: this.q2Document,
      crl: this.crl,
    };
  }

  /** What Q1 makes of the card's answer to PAY. */
  admitted(terms: Quote, paid: Coin, answer: PayAnswer): PaymentRecord {
    const certificate = this.userCertificates.get(terms.body.payer) ?? new Uint8Array(0);
    const transactionBytes = transaction.encode({
      ...headNow,
      quoteDigest: quote.digest(primitives, terms.bodyBytes),
      coinId: paid.body.coinId,
      coinValue: paid.body.value,
      commitment: paid.body.commitment,
      payerCertificate: primitives.sha256(certificate),
    });
    const payment: Payment = {
      transaction: transactionOf(transactionBytes),
      transactionBytes,
      payerSignature: answer.signature,
      quote: terms.body,
      quoteBytes: terms.bodyBytes,
      coin: paid,
    };
    const paymentId = paymentIdOf(primitives, transactionBytes);
    const body = { ...headNow, paymentId, issuer: q1, time: this.nowSeconds };
    const [proof] = signBatch(primitives, [admission.leaf(primitives, body)], q1Key);
    if (proof === undefined) throw new Error('a batch of one has one proof');
    return { payment, admission: admission.prove(body, proof), standing: 'admitted' };
  }

  /** The same payment with Q2's receipt. */
  concluded(record: PaymentRecord, verdict: 'delivered' | 'undelivered'): PaymentRecord {
    const paymentId = paymentIdOf(primitives, record.payment.transactionBytes);
    const ending =
      verdict === 'delivered'
        ? { acknowledgement: new Uint8Array(64).fill(1) }
        : { reason: 'deadline-passed' as const };
    const time = this.nowSeconds;
    const body = { ...headNow, paymentId, station: q2, verdict, time, ...ending };
    const [proof] = signBatch(primitives, [receipt.leaf(primitives, body)], q2Key);
    if (proof === undefined) throw new Error('a batch of one has one proof');
    return { ...record, receipt: receipt.prove(body, proof), standing: verdict };
  }
}

function transactionOf(bytes: Uint8Array) {
  return decodeElement(transaction, bytes, 'transaction');
}
