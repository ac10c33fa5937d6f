/** Defects of a card that show on the wire: what stands between a sound card and its reader. */
import { concatBytes, equalBytes, toHex } from '../../../applet-spec/bytes.ts';
import { appletId } from '../../../applet-spec/commands.ts';
import { specimenPin } from '../../../driver/conformance/life-checks.ts';
import type { Process } from './defective-card.ts';

/** Answers these commands itself, in the place of the card, once `from` of them have passed. */
export function answers(commands: RegExp, hex: string, from = 0) {
  let passed = 0;
  return (sound: Process): Process =>
    async (apdu) => {
      if (!commands.test(toHex(apdu))) return sound(apdu);
      passed += 1;
      return passed > from ? bytes(hex) : sound(apdu);
    };
}

export function rewords(word: string, other: string) {
  return (sound: Process): Process =>
    async (apdu) => {
      const answer = toHex(await sound(apdu));
      return bytes(answer === word ? other : answer);
    };
}

/** Sends a command once more where it was answered like this. */
export function again(answered: RegExp) {
  return (sound: Process): Process =>
    async (apdu) => {
      const answer = await sound(apdu);
      return answered.test(toHex(answer)) ? sound(apdu) : answer;
    };
}

/** Sends a command of its own before the first one. */
export function first(own: Uint8Array) {
  return (sound: Process): Process => {
    let sent = false;
    return async (apdu) => {
      if (!sent) await sound(own);
      sent = true;
      return sound(apdu);
    };
  };
}

/** Sends a command of its own after these. */
export function after(commands: RegExp, own: Uint8Array) {
  return (sound: Process): Process =>
    async (apdu) => {
      const answer = await sound(apdu);
      if (commands.test(toHex(apdu))) await sound(own);
      return answer;
    };
}

export function selection(): Uint8Array {
  return concatBytes(bytes('00a4040c09'), appletId);
}

export function verification(): Uint8Array {
  return concatBytes(bytes('0020008006'), new TextEncoder().encode(specimenPin));
}

export function wholeName(sound: Process): Process {
  return (apdu) => sound(toHex(apdu).startsWith('00a4040005f04b') ? selection() : apdu);
}

export function wholePin(sound: Process): Process {
  return (apdu) => sound(toHex(apdu).startsWith('0020008004') ? verification() : apdu);
}

export function anyVersion(sound: Process): Process {
  return (apdu) =>
    sound(
      toHex(apdu).startsWith('8050')
        ? Uint8Array.of(...apdu.subarray(0, 2), 0, ...apdu.subarray(3))
        : apdu,
    );
}

/** As a card that runs them: the length is wrong for all. */
export function listensBesideSessions(sound: Process): Process {
  let open = false;
  return async (apdu) => {
    const command = toHex(apdu.subarray(0, 2));
    const answer = await sound(apdu);
    if (command === '8482') open = toHex(answer) === '9000';
    if (command === '00a4') open = false;
    return open && toHex(answer) === '6982' && command.startsWith('80') ? bytes('6700') : answer;
  };
}

/** A SELECT behind a greeting never reaches the applet. */
export function keepsGreetings(sound: Process): Process {
  let greeted = false;
  return (apdu) => {
    const isSelection = toHex(apdu.subarray(0, 2)) === '00a4';
    const kept = greeted && isSelection;
    greeted = toHex(apdu.subarray(0, 2)) === '8050';
    return kept ? Promise.resolve(bytes('9000')) : sound(apdu);
  };
}

/** The session on the card never learns of them. */
export function refusesReplaysItself(sound: Process): Process {
  const seen: Uint8Array[] = [];
  return async (apdu) => {
    if (apdu[0] !== 0x84 || apdu[1] === 0x82) return sound(apdu);
    if (seen.some((before) => equalBytes(before, apdu))) return bytes('6982');
    seen.push(apdu);
    return sound(apdu);
  };
}

/** One block under encryption and its MAC: a result without an answer. */
export function shortensRefusals(sound: Process): Process {
  return async (apdu) => {
    const answer = await sound(apdu);
    return apdu[0] === 0x84 && answer.length === 34 ? bytes('6985') : answer;
  };
}

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}
