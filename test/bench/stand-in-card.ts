/**
 * A card's side of the desk under known keys: it opens SCP03 sessions like any card, takes coins,
 * and answers PAY and OFFER with what was signed beforehand.
 */
import { decodeCommand, encodeResponse, type CommandApdu } from '../../applet-spec/apdu.ts';
import { concatBytes, toLatin1, uintToBytes } from '../../applet-spec/bytes.ts';
import {
  applicationInfo,
  coinLoad,
  offer as offerObject,
  type LoadedCoin,
} from '../../applet-spec/card-objects.ts';
import { cardResults, commands, type CardResult } from '../../applet-spec/commands.ts';
import { limits } from '../../applet-spec/limits.ts';
import { paymentIdOf } from '../../applet-spec/payment.ts';
import { quote } from '../../applet-spec/quote.ts';
import type { CardKeys } from '../../applet-spec/scp03-keys.ts';
import {
  acceptHost,
  DIVERSIFICATION_BYTES,
  encodeCardGreeting,
  greetHost,
  keytollImplementation,
  type PendingChannel,
} from '../../applet-spec/scp03-handshake.ts';
import { keytollSecurityLevel, wrapResponse, type OpenChannel } from '../../applet-spec/scp03.ts';
import { statusWords } from '../../applet-spec/status-words.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import { systemEntropy } from '../../daemon/entropy.ts';
import { opensslPrimitives as primitives } from '../../daemon/openssl-primitives.ts';

export const cardKeyVersion = 1;

export interface CardSession {
  readonly cardChallenge: Uint8Array;
  readonly stationChallenge: Uint8Array;
}

interface Answer {
  readonly result: CardResult;
  readonly payload: Uint8Array;
}

const nothing = new Uint8Array(0);
const done: Answer = { result: 'done', payload: nothing };

export class StandInCard {
  readonly serial: Uint8Array;
  readonly keys: CardKeys;
  /** Loaded and not used yet. */
  readonly coins: LoadedCoin[] = [];
  /** Answers to PAY by the digest of the quote, to OFFER by the payment's ID; as text. */
  readonly paid = new Map<string, Uint8Array>();
  readonly acknowledged = new Map<string, Uint8Array>();
  session: CardSession | undefined;
  #identifier: Uint8Array;
  #pending: PendingChannel | undefined;
  #channel: OpenChannel | undefined;

  constructor(serial: Uint8Array, keys: CardKeys) {
    this.serial = serial;
    this.#identifier = serial;
    this.keys = keys;
  }

  /** What the card shows: its serial number, and then the latest handle. */
  get identifier(): Uint8Array {
    return this.#identifier;
  }

  answer(apdu: Uint8Array): Uint8Array {
    const command = decodeCommand(apdu);
    if (command.ins === commands.initializeUpdate.ins) return this.#greet(command.data);
    if (this.#pending !== undefined) {
      const accepted = acceptHost(primitives, this.#pending, command, [keytollSecurityLevel]);
      if (accepted.verdict === 'closed') throw new Error('the station did not prove itself');
      this.#pending = undefined;
      this.#channel = accepted.channel;
      return encodeResponse({ data: nothing, sw: statusWords.done });
    }
    if (command.ins === commands.getData.ins && command.cla === commands.getData.cla) {
      return encodeResponse({ data: this.#information(), sw: statusWords.done });
    }
    if (this.#channel === undefined) throw new Error('a secure command without a session');
    const channel = heard(this.#channel, command.data);
    this.#channel = channel;
    const { result, payload } = this.#run(command, channel);
    const data = concatBytes(Uint8Array.of(cardResults[result]), payload);
    return encodeResponse(wrapResponse(primitives, channel, { data, sw: statusWords.done }));
  }

  #greet(stationChallenge: Uint8Array): Uint8Array {
    const cardChallenge = systemEntropy.randomBytes(16);
    const { pending, greeting } = greetHost(primitives, this.keys, stationChallenge, {
      diversification: this.#identifier.slice(0, DIVERSIFICATION_BYTES),
      keyVersion: cardKeyVersion,
      implementation: keytollImplementation,
      cardChallenge,
    });
    this.#pending = pending;
    this.#channel = undefined;
    this.session = { cardChallenge, stationChallenge };
    return encodeResponse({ data: encodeCardGreeting(greeting), sw: statusWords.done });
  }

  /** Room for keys without end: a real user erases old ones. */
  #information(): Uint8Array {
    return applicationInfo.encode({
      specVersion: 1,
      lifeCycle: 'enrolled',
      identifier: this.#identifier,
      pinTries: limits.pinTries,
      pukTries: limits.pukTries,
      keyVersion: cardKeyVersion,
      coins: this.coins.length,
      coinsCapacity: limits.cardCoins,
      peerKeys: 0,
      peerKeysCapacity: limits.cardPeerKeys,
    });
  }

  #run(command: CommandApdu, channel: OpenChannel): Answer {
    switch (command.ins) {
      case commands.pay.ins:
        return this.#signed(this.paid, quote.digest(primitives, plainOf(channel, command)));
      case commands.offer.ins: {
        const { transaction } = decodeElement(offerObject, plainOf(channel, command), 'offer');
        return this.#signed(this.acknowledged, paymentIdOf(primitives, transaction));
      }
      case commands.conclude.ins:
      case commands.putProfile.ins:
        return done;
      case commands.loadCoins.ins: {
        const { coins } = decodeElement(coinLoad, plainOf(channel, command), 'coins');
        this.coins.push(...coins);
        return done;
      }
      case commands.putHandle.ins:
        this.#identifier = plainOf(channel, command);
        return done;
      default:
        return { result: 'not-found', payload: nothing };
    }
  }

  /** Each is asked for once: what was answered is forgotten. */
  #signed(answers: Map<string, Uint8Array>, id: Uint8Array): Answer {
    const name = toLatin1(id);
    const payload = answers.get(name);
    if (payload === undefined) return { result: 'not-authorised', payload: nothing };
    answers.delete(name);
    return { result: 'done', payload };
  }
}

const macBytes = 16;
const zeroIv = new Uint8Array(macBytes);

/**
 * The channel after a command. Its MAC is the next chaining value; a card would recompute it, which
 * would here only take time from the stations that are measured.
 */
function heard(channel: OpenChannel, data: Uint8Array): OpenChannel {
  return { ...channel, chaining: data.slice(-macBytes), counter: channel.counter + 1n };
}

/** Amendment D §6.2.6: CBC under the encrypted counter, padding method 2. */
function plainOf({ keys, counter }: OpenChannel, { data }: CommandApdu): Uint8Array {
  const iv = primitives.aesCbcEncrypt(keys.sEnc, zeroIv, uintToBytes(counter, macBytes));
  const padded = primitives.aesCbcDecrypt(keys.sEnc, iv, data.subarray(0, -macBytes));
  return padded.slice(0, padded.lastIndexOf(0x80));
}
