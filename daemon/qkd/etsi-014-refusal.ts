import { QkdError } from './qkd-error.ts';
import type { QkdErrorCode } from './qkd-error.ts';

/** The three calls of ETSI GS QKD 014 §5. */
export type Etsi014Call = 'status' | 'enc_keys' | 'dec_keys';

/** The messages that ETSI GS QKD 014 §5 fixes word by word. */
export const fixedMessages = {
  sizeNotMultipleOf8: 'size shall be a multiple of 8',
  mandatoryUnsupported: 'not all extension_mandatory parameters are supported',
  mandatoryUnmet: 'not all extension_mandatory request options could be met',
  optionalUnhandled: 'not all extension_optional request options handled',
  keysNotFound: 'one or more keys specified are not found on KME',
} as const;

/** How much of a foreign error body is kept, in bytes of UTF-8. */
const maxMessageBytes = 512;

const notFoundWords = /not found|unknown key|no such key|does not exist|not exist|not known/;
const exhaustedWords = new RegExp(
  [
    'not enough|insufficient|exhaust|too few|out of keys?',
    'no (more |available )?keys?\\b',
    '(key|pool|store)s? (is |are )?(empty|depleted|unavailable|not available)',
  ].join('|'),
);

/**
 * What an answer other than 2xx means, from its status and the messages that devices are known to
 * send, whatever their case and full stops. `bits` are those that the request may have burnt.
 */
export function refusalOf(
  call: Etsi014Call,
  httpStatus: number,
  body: string,
  bits: number,
): QkdError {
  const deviceMessage = messageIn(body);
  const code = codeOf(call, httpStatus, plain(deviceMessage));
  const said = deviceMessage === '' ? 'without a message' : `"${deviceMessage}"`;
  return new QkdError(code, `the key manager answered ${String(httpStatus)} ${said} to ${call}`, {
    httpStatus,
    deviceMessage,
    lostBits: code === 'outcome-unknown' ? bits : 0,
  });
}

function codeOf(call: Etsi014Call, status: number, message: string): QkdErrorCode {
  if (status === 401 || status === 403 || status === 407) return 'authentication';
  if (status >= 300 && status < 400) return 'protocol';
  if (call === 'dec_keys') {
    if (status === 404 || status === 410) return 'not-found';
    if (message === plain(fixedMessages.keysNotFound) || notFoundWords.test(message)) {
      return 'not-found';
    }
    // Our request was well formed, and nothing else is left to complain about.
    if (status === 400 && message === '') return 'not-found';
  }
  if (call === 'enc_keys' && exhaustedWords.test(message)) return 'exhausted';
  // A gateway gave up on a key manager that may have handed out the keys.
  if (status === 502 || status === 504)
    return call === 'status' ? 'unavailable' : 'outcome-unknown';
  if (status >= 500 || status === 408 || status === 429) return 'unavailable';
  return status >= 400 ? 'refused' : 'protocol';
}

function plain(message: string): string {
  return message.toLowerCase().replaceAll('.', '').replace(/\s+/g, ' ').trim();
}

/** The human part of an error body: JSON in the shapes seen, HTML, or text; at most 512 bytes. */
export function messageIn(body: string): string {
  const text = inJson(body) ?? withoutTags(body);
  return cut(
    text
      .slice(0, 4 * maxMessageBytes)
      .replace(/\s+/g, ' ')
      .trim(),
  );
}

function inJson(body: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return '';
  const texts = ['message', 'detail', 'title', 'description', 'error', 'reason']
    .map((name): unknown => Reflect.get(value, name))
    .filter((text): text is string => typeof text === 'string' && text !== '');
  return texts.join(': ');
}

function withoutTags(body: string): string {
  return body
    .slice(0, 16 * maxMessageBytes)
    .replace(/<(script|style)\b[\s\S]*?<\/\1>/gi, ' ')
    .replace(/<[^>]*>/g, ' ');
}

function cut(text: string): string {
  const bytes = new TextEncoder().encode(printable(text));
  if (bytes.length <= maxMessageBytes) return new TextDecoder().decode(bytes);
  return new TextDecoder().decode(bytes.subarray(0, maxMessageBytes - 3)).replace(/\uFFFD$/, '');
}

/** A terminal or a log must not obey what a device says: control characters become spaces. */
function printable(text: string): string {
  return Array.from(text, (character) => (/\p{Cc}/u.test(character) ? ' ' : character)).join('');
}
