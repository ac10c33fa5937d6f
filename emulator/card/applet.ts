import type { CommandApdu, ResponseApdu } from '../../applet-spec/apdu.ts';
import { concatBytes, equalBytes } from '../../applet-spec/bytes.ts';
import { applicationInfo, owner as ownerObject } from '../../applet-spec/card-objects.ts';
import {
  appletId,
  cardResults,
  commands,
  dataObjects,
  type CommandName,
  type CommandRule,
} from '../../applet-spec/commands.ts';
import { limits } from '../../applet-spec/limits.ts';
import type { Entropy, Primitives } from '../../applet-spec/primitives.ts';
import { SECURE_MESSAGING_BIT } from '../../applet-spec/scp03.ts';
import { statusWords } from '../../applet-spec/status-words.ts';
import { encodeTlv } from '../../applet-spec/tlv.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';
import { StatusWordError } from './card-error.ts';
import {
  answer,
  statusWord,
  type AppletSession,
  type CardContext,
  type ClearCommand,
  type SecureCommand,
} from './card-context.ts';
import type { CardMemory } from './card-memory.ts';
import { lifeCycleOf, ownership } from './card-state.ts';
import { eraseCoins, listCoins, loadCoins, retireCoins } from './coin-pool.ts';
import {
  attest,
  generateKeyPair,
  putCertificate,
  putHandle,
  putKey,
  putProfile,
} from './enrolment.ts';
import { queryJournal } from './journal.ts';
import { authorise, finishPayments, pay } from './payment-command.ts';
import { checkSignature } from './own-signature.ts';
import { deriveTraffic, erasePeerKey, listPeerKeys, offer } from './peer-keys.ts';
import { changeReferenceData, resetRetryCounter, verify } from './reference-data.ts';
import {
  deriveHostLink,
  externalAuthenticate,
  initializeUpdate,
  SecureSession,
} from './secure-session.ts';
import { conclude } from './verdict.ts';

export interface AppletOptions {
  readonly memory: CardMemory;
  readonly primitives: Primitives;
  readonly entropy: Entropy;
}

const specVersion = 1;

/**
 * Every command but SELECT, whose work is the applet's own, and GET RESPONSE, which is the
 * transport's.
 */
const clearCommands: Readonly<Partial<Record<CommandName, ClearCommand>>> = {
  getData,
  verify,
  changeReferenceData,
  resetRetryCounter,
  authorise,
  deriveHostLink,
  listPeerKeys,
  deriveTraffic,
  listCoins,
  erasePeerKey,
  checkSignature,
  initializeUpdate,
  externalAuthenticate,
};

const secureCommands: Readonly<Partial<Record<CommandName, SecureCommand>>> = {
  putKey,
  generateKeyPair,
  attest,
  putCertificate,
  putProfile,
  putHandle,
  loadCoins,
  pay,
  offer,
  conclude,
  queryJournal,
  retireCoins,
  eraseCoins,
};

/**
 * The applet (design §6): one whole command in, one whole response out. Throws PowerLostError only.
 */
export class Applet {
  readonly #options: AppletOptions;
  /** undefined until SELECT. */
  #card: CardContext | undefined;

  constructor(options: AppletOptions) {
    this.#options = options;
  }

  /** The power went, or the card was reset: nothing volatile is left. */
  reset(): void {
    this.#card = undefined;
  }

  process(command: CommandApdu): ResponseApdu {
    try {
      return this.#dispatch(command);
    } catch (error) {
      if (error instanceof StatusWordError) return { data: new Uint8Array(0), sw: error.sw };
      if (error instanceof TlvError) {
        return { data: new Uint8Array(0), sw: statusWords['incorrect-data'] };
      }
      throw error;
    }
  }

  #dispatch(command: CommandApdu): ResponseApdu {
    const { cla, ins } = command;
    if (cla === commands.select.cla && ins === commands.select.ins) return this.#select(command);
    const card = this.#card;
    if (card === undefined) throw statusWord('conditions-of-use-not-satisfied');
    const clear = ruleFor('clear', cla, ins);
    if (clear !== undefined) return runClear(card, clear, command);
    if ((cla & SECURE_MESSAGING_BIT) !== 0) return runSecure(card, command);
    // A station's command without secure messaging is not even looked at.
    const secure = ruleFor('secure', cla, ins);
    throw statusWord(
      secure === undefined ? 'instruction-not-supported' : 'security-status-not-satisfied',
    );
  }

  /**
   * SELECT by AID (ISO/IEC 7816-4 §11.2.2), whole AIDs only. Starts afresh, also where selected
   * before.
   */
  #select({ p1, p2, data }: CommandApdu): ResponseApdu {
    if (p1 !== 0x04 || (p2 !== 0x00 && p2 !== 0x0c)) throw statusWord('incorrect-parameters');
    if (!equalBytes(data, appletId)) throw statusWord('application-not-found');
    const session: AppletSession = {
      pinVerified: false,
      authorisation: undefined,
      secure: new SecureSession(),
    };
    const card = { ...this.#options, session };
    this.#card = card;
    return p2 === 0x0c ? answer() : answer(fileControlInformation(card));
  }
}

type Channel = CommandRule['channel'];

function ruleFor(channel: Channel, cla: number, ins: number): CommandName | undefined {
  const names = channel === 'clear' ? Object.keys(clearCommands) : Object.keys(secureCommands);
  return names.find((name): name is CommandName => {
    const rule: CommandRule = commands[name as CommandName];
    return rule.cla === cla && rule.ins === ins;
  });
}

function runClear(card: CardContext, name: CommandName, command: CommandApdu): ResponseApdu {
  const run = clearCommands[name];
  if (run === undefined) throw statusWord('instruction-not-supported');
  const { access }: CommandRule = commands[name];
  if (access.startsWith('pin') && !card.session.pinVerified) {
    throw statusWord('security-status-not-satisfied');
  }
  if (access === 'pin-and-session' && !card.session.secure.open) {
    throw statusWord('conditions-of-use-not-satisfied');
  }
  return run(card, command);
}

/**
 * The MAC comes before everything: what does not verify is not understood, and ends the session.
 */
function runSecure(card: CardContext, wrapped: CommandApdu): ResponseApdu {
  const { primitives, session } = card;
  const command = session.secure.unwrap(primitives, wrapped);
  if (command === undefined) throw statusWord('security-status-not-satisfied');
  const name = ruleFor('secure', command.cla, command.ins);
  const run = name && secureCommands[name];
  if (run === undefined) throw statusWord('instruction-not-supported');
  finishPayments(card);
  const { result, payload } = run(card, command);
  const data = concatBytes(Uint8Array.of(cardResults[result]), payload);
  return session.secure.wrap(primitives, answer(data));
}

/** GET DATA. */
function getData(card: CardContext, { p1, p2, data }: CommandApdu): ResponseApdu {
  if (data.length > 0) throw statusWord('wrong-length');
  switch ((p1 << 8) | p2) {
    case dataObjects.applicationInfo:
      return answer(applicationInformation(card));
    case dataObjects.owner: {
      if (!card.session.pinVerified) throw statusWord('security-status-not-satisfied');
      const of = ownership(card.memory.state);
      if (of === undefined) throw statusWord('reference-data-not-found');
      const certificate = card.primitives.sha256(of.certificate);
      return answer(ownerObject.encode({ ...of.profile, certificate }));
    }
    default:
      throw statusWord('reference-data-not-found');
  }
}

function applicationInformation({ memory }: CardContext): Uint8Array {
  const { state } = memory;
  return applicationInfo.encode({
    specVersion,
    lifeCycle: lifeCycleOf(state),
    identifier: state.handle ?? state.serial,
    pinTries: state.pinTries,
    pukTries: state.pukTries,
    keyVersion: state.keys.version,
    coins: state.coins.length,
    coinsCapacity: limits.cardCoins,
    peerKeys: state.peerKeys.length,
    peerKeysCapacity: limits.cardPeerKeys,
  });
}

/** FCI template (ISO/IEC 7816-4 §7.4.3): the AID, and our own information under A5. */
function fileControlInformation(card: CardContext): Uint8Array {
  const name = encodeTlv(0x84, appletId);
  const information = encodeTlv(0xa5, applicationInformation(card));
  return encodeTlv(0x6f, concatBytes(name, information));
}
