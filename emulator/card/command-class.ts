import { CHAINING_BIT } from '../../applet-spec/apdu-chaining.ts';
import { SECURE_MESSAGING_BIT } from '../../applet-spec/scp03.ts';
import { statusWords } from '../../applet-spec/status-words.ts';

const proprietaryBit = 0x80;
/** Basic channel only: neither the channel's number nor the form of further channels. */
const logicalChannelBits = 0x43;
const isoSecureMessagingBits = 0x0c;
/** ISO/IEC 7816-3 §8.2 keeps this value for protocol selection. */
const invalidClass = 0xff;

/**
 * Why a command's class is refused, before its instruction is looked at and before it joins a chain
 * (ISO/IEC 7816-4 §5.4.1); undefined for a class that the card has: 00, 80 and 84, chained or not.
 */
export function classRefusal(cla: number): number | undefined {
  if (cla === invalidClass) return statusWords['class-not-supported'];
  if ((cla & logicalChannelBits) !== 0) return statusWords['logical-channel-not-supported'];
  const kind = cla & ~CHAINING_BIT;
  if (kind === 0x00 || kind === proprietaryBit) return undefined;
  if (kind === (proprietaryBit | SECURE_MESSAGING_BIT)) return undefined;
  if ((kind & proprietaryBit) === 0 && (kind & ~isoSecureMessagingBits) === 0) {
    return statusWords['secure-messaging-not-supported'];
  }
  return statusWords['class-not-supported'];
}
