/** Reading the subjectAltName of a certificate (RFC 5280 §4.2.1.6). */
import { toHex, toLatin1 } from './bytes.ts';
import type { AlternativeName } from './certificate-roles.ts';
import { DerReader, derTags, derWhole } from './der.ts';
import { otherNameTag, readHardwareSerial } from './hardware-module-name.ts';
import { TlvError } from './tlv-error.ts';

/** The names of the extension's value, in their order. Throws TlvError. */
export function readAlternativeNames(value: Uint8Array): readonly AlternativeName[] {
  const what = 'subject alternative name';
  const list = new DerReader(derWhole(value, derTags.sequence, what).content, what);
  const names: AlternativeName[] = [];
  do {
    const { tag, content } = list.any();
    names.push(alternativeName(tag, content, what));
  } while (!list.atEnd);
  return names;
}

/** By the context tags of GeneralName, RFC 5280 §4.2.1.6. */
function alternativeName(tag: number, content: Uint8Array, what: string): AlternativeName {
  switch (tag) {
    case 0x81:
      return { kind: 'rfc822Name', text: ascii(content, what) };
    case 0x82:
      return { kind: 'dNSName', text: ascii(content, what) };
    case 0x87:
      return { kind: 'iPAddress', text: '' };
    case otherNameTag: {
      const serial = readHardwareSerial(content);
      return serial === undefined
        ? { kind: 'other', text: '' }
        : { kind: 'hardwareModuleName', text: toHex(serial) };
    }
    default:
      return { kind: 'other', text: '' };
  }
}

function ascii(content: Uint8Array, what: string): string {
  if (content.some((byte) => byte > 0x7f)) throw new TlvError('bad-value', what, 'no IA5String');
  return toLatin1(content);
}
