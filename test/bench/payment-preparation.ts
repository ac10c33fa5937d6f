/** Before the timing: coins bought, quotes obtained, payments signed by emulated cards. */
import { decodeResponse, encodeCommand } from '../../applet-spec/apdu.ts';
import { concatBytes, toLatin1 } from '../../applet-spec/bytes.ts';
import {
  authorisation,
  offerAnswer,
  payAnswer,
  type LoadedCoin,
  type PayAnswer,
} from '../../applet-spec/card-objects.ts';
import { appletId, commands, pinReference } from '../../applet-spec/commands.ts';
import { commitmentOf } from '../../applet-spec/coin.ts';
import { labels } from '../../applet-spec/labels.ts';
import { headNow, toCurrency, toStationName } from '../../applet-spec/names.ts';
import { paymentIdOf, transaction } from '../../applet-spec/payment.ts';
import { quote as quoteKind, type Quote } from '../../applet-spec/quote.ts';
import { acknowledgement } from '../../applet-spec/receipt.ts';
import { statusWords } from '../../applet-spec/status-words.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import { systemClock } from '../../daemon/clock.ts';
import { CardChannel } from '../../daemon/desk/card-channel.ts';
import { systemEntropy } from '../../daemon/entropy.ts';
import { opensslPrimitives as primitives } from '../../daemon/openssl-primitives.ts';
import { Card } from '../../emulator/card/card.ts';
import { blankState, encodeCardState } from '../../emulator/card/card-state.ts';
import { MemoryStorage } from '../../emulator/card/storage.ts';
import { roadCurrency, roadNetwork } from '../scenario/road-plan.ts';
import type { BenchStation } from './bench-stations.ts';
import type { BenchUser } from './bench-users.ts';
import { cardKeyVersion } from './stand-in-card.ts';
import type { StandInHost } from './stand-in-host.ts';

export interface PreparedPayment {
  /** Hexadecimal. */
  readonly paymentId: string;
  readonly payer: number;
  readonly quoteDigest: Uint8Array;
  /** One bit of the payer's signature was flipped: it must be refused. */
  readonly isFlipped: boolean;
}

export interface Party {
  readonly user: BenchUser;
  readonly host: StandInHost;
}

export interface PreparationPlan {
  readonly payers: readonly Party[];
  readonly payees: readonly Party[];
  readonly payerStation: BenchStation;
  /** What every coin is worth: the sum of the bill. */
  readonly price: bigint;
  readonly count: number;
  /** One payment in so many is spoiled; 0: none. */
  readonly flipOneIn: number;
  /** The home of the payers signs with it; its cards pin it. */
  readonly documentKey: Uint8Array;
}

/** Quotes of one payer that are asked for at once. */
const quotesAtOnce = 4;
/** The emulated card has slots for 64 keys; a fresh one takes over then. */
const paymentsACard = 60;
const pin = new TextEncoder().encode('482615');
const limitMinorUnits = 1_000_000_000n;

/** Payments in the order in which they are to be made: payers in turn. */
export async function preparePayments(plan: PreparationPlan): Promise<readonly PreparedPayment[]> {
  const { payers, count } = plan;
  const each = Math.ceil(count / payers.length);
  const prepared: (readonly PreparedPayment[])[] = [];
  const width = 16;
  for (let start = 0; start < payers.length; start += width) {
    const some = payers.slice(start, start + width);
    prepared.push(...(await Promise.all(some.map((_, i) => preparePayer(plan, start + i, each)))));
  }
  return Array.from({ length: each }).flatMap((_, round) =>
    prepared.flatMap((own) => own.slice(round, round + 1)),
  );
}

async function preparePayer(
  plan: PreparationPlan,
  place: number,
  each: number,
): Promise<readonly PreparedPayment[]> {
  const payer = partyAt(plan.payers, place);
  await buyCoins(payer.host, plan.price, each);
  const quotes: { readonly quote: Quote; readonly payee: Party }[] = [];
  for (let start = 0; start < each; start += quotesAtOnce) {
    const some = Array.from({ length: Math.min(quotesAtOnce, each - start) }, async (_, i) => {
      const payee = partyAt(plan.payees, (place + start + i) % plan.payees.length);
      return { quote: await obtainQuote(payer.host, payee.user), payee };
    });
    quotes.push(...(await Promise.all(some)));
  }
  const prepared: PreparedPayment[] = [];
  for (let start = 0; start < each; start += paymentsACard) {
    const some = quotes.slice(start, start + paymentsACard);
    const coins = payer.user.card.coins.splice(0, some.length);
    const card = await EmulatedPayer.insert(plan, payer.user, coins);
    for (const { quote, payee } of some) {
      const number = place + plan.payers.length * prepared.length;
      const isFlipped = plan.flipOneIn > 0 && number % plan.flipOneIn === plan.flipOneIn - 1;
      const signed = await card.pay(quote);
      prepared.push({ ...replayable(payer, payee, signed, isFlipped), payer: place, isFlipped });
    }
  }
  return prepared;
}

async function buyCoins(host: StandInHost, value: bigint, count: number): Promise<void> {
  const orderId = systemEntropy.randomBytes(16);
  const lines = [{ value, count }];
  const reply = await host.request((requestId) => ({
    kind: 'buy',
    content: { requestId, orderId, lines },
  }));
  if (reply.kind !== 'ordered')
    throw new Error(`coins were not sold: ${JSON.stringify(reply.kind)}`);
}

/** A payee's card may have shown itself and not yet have its place at the desk. */
async function obtainQuote(host: StandInHost, payee: BenchUser): Promise<Quote> {
  for (let attempt = 0; ; attempt++) {
    const reply = await host.request((requestId) => ({
      kind: 'quote',
      content: { requestId, payee: payee.name, minimumSuite: 'aes', avoid: [] },
    }));
    if (reply.kind === 'quote') return reply.content.quote;
    const why = reply.kind === 'refused' ? reply.content.message : reply.kind;
    if (attempt === 60) throw new Error(`no quote: ${why}`);
    await new Promise<void>((resolve) => systemClock.after(250, resolve));
  }
}

/** An emulated card in its enrolled state, with the station's side of its channel open. */
class EmulatedPayer {
  readonly #card: Card;
  readonly #channel: CardChannel;
  readonly #user: BenchUser;
  readonly #coins: readonly LoadedCoin[];

  private constructor(
    card: Card,
    channel: CardChannel,
    user: BenchUser,
    coins: readonly LoadedCoin[],
  ) {
    this.#card = card;
    this.#channel = channel;
    this.#user = user;
    this.#coins = coins;
  }

  static async insert(
    plan: PreparationPlan,
    user: BenchUser,
    coins: readonly LoadedCoin[],
  ): Promise<EmulatedPayer> {
    const { keys, serial } = user.card;
    const state = {
      ...blankState({ serial, transportKeys: keys, apduProfile: 't1-extended' }),
      keys: { ...keys, version: cardKeyVersion },
      pin,
      puk: pin,
      privateKey: user.privateKey,
      certificate: user.certificate,
      profile: {
        user: user.name,
        homeStation: toStationName(plan.payerStation.name),
        network: roadNetwork,
        currency: toCurrency(roadCurrency),
        homeStationKey: plan.documentKey,
        paymentLimit: limitMinorUnits,
        dayLimit: limitMinorUnits,
      },
      coins: coins.map((coin) => ({ ...coin, state: 'unspent' as const })),
    };
    const storage = new MemoryStorage(encodeCardState(state));
    const card = new Card({ storage, primitives, entropy: systemEntropy, clock: systemClock });
    card.powerOn();
    await say(card, 'select', appletId, 0x04, 0x0c);
    await say(card, 'verify', pin, 0x00, pinReference);
    const opened = await CardChannel.open({
      primitives,
      entropy: systemEntropy,
      transmit: (apdu) => card.process(apdu),
      card: {
        serial,
        user: user.name,
        state: 'enrolled',
        keyVersion: cardKeyVersion,
        keys,
        paymentLimit: limitMinorUnits,
        dayLimit: limitMinorUnits,
      },
    });
    if (opened.outcome === 'refused') throw new Error(`the emulated card: ${opened.why}`);
    return new EmulatedPayer(card, opened.channel, user, coins);
  }

  /** AUTHORISE and PAY. */
  async pay(quote: Quote): Promise<Signed> {
    const quoteDigest = quoteKind.digest(primitives, quote.bodyBytes);
    const authorised = authorisation.encode({ operation: 'pay', digest: quoteDigest });
    await say(this.#card, 'authorise', authorised);
    const reply = await this.#channel.send('pay', quote.bodyBytes);
    if (reply.outcome !== 'answered' || reply.result !== 'done') {
      throw new Error(`PAY: ${reply.outcome === 'answered' ? reply.result : reply.outcome}`);
    }
    const answer = decodeElement(payAnswer, reply.payload, 'answer to PAY');
    const coin = this.#coins.find((one) => toLatin1(one.coinId) === toLatin1(answer.coinId));
    if (coin === undefined) throw new Error('the emulated card paid with a coin it was not given');
    const transactionBytes = transaction.encode({
      ...headNow,
      quoteDigest,
      coinId: coin.coinId,
      coinValue: coin.value,
      commitment: commitmentOf(primitives, coin.coinId, coin.secret),
      payerCertificate: primitives.sha256(this.#user.certificate),
    });
    return { quoteDigest, answer, paymentId: paymentIdOf(primitives, transactionBytes) };
  }
}

interface Signed {
  readonly quoteDigest: Uint8Array;
  readonly answer: PayAnswer;
  readonly paymentId: Uint8Array;
}

/** Gives both stand-ins what they will be asked for. */
function replayable(
  payer: Party,
  payee: Party,
  { quoteDigest, answer, paymentId }: Signed,
  isFlipped: boolean,
) {
  const name = toLatin1(paymentId);
  const paid = isFlipped ? { ...answer, signature: flipped(answer.signature) } : answer;
  payer.user.card.paid.set(toLatin1(quoteDigest), payAnswer.encode(paid));
  if (!isFlipped) {
    const body = acknowledgement.body.encode({
      ...headNow,
      paymentId,
      payeeCertificate: primitives.sha256(payee.user.certificate),
    });
    const signature = payee.user.signingKey.sign(concatBytes(labels.acknowledgement, body));
    payee.user.card.acknowledged.set(name, offerAnswer.encode({ signature }));
  }
  return { paymentId: name, quoteDigest };
}

function flipped(signature: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(signature);
  copy[7] = (copy[7] ?? 0) ^ 0x10;
  return copy;
}

async function say(
  card: Card,
  name: keyof typeof commands,
  data: Uint8Array,
  p1 = 0,
  p2 = 0,
): Promise<void> {
  const { cla, ins } = commands[name];
  const bytes = await card.process(encodeCommand({ cla, ins, p1, p2, data }, 'extended'));
  const { sw } = decodeResponse(bytes);
  if (sw !== statusWords.done) throw new Error(`${name}: ${sw.toString(16)}`);
}

function partyAt(parties: readonly Party[], place: number): Party {
  const party = parties[place];
  if (party === undefined) throw new RangeError(`no party ${place}`);
  return party;
}
