/**
 * The name of a card in its device certificate: HardwareModuleName (RFC 4108 §5), as device
 * identities of IEEE 802.1AR have it, in a GeneralName of the kind otherName.
 */
import { concatBytes, equalBytes, fromHex } from './bytes.ts';
import { DerReader, derTags } from './der.ts';
import { encodeTlv } from './tlv.ts';

/** otherName [0] of GeneralName (RFC 5280 §4.2.1.6), and the explicit [0] of its value. */
export const otherNameTag = 0xa0;
/** id-on-hardwareModuleName, 1.3.6.1.5.5.7.8.4. */
const hardwareModuleNameId = fromHex('2b06010505070804');
/** 2.25.265741460712832717140298517270269272659.6: a card of this specification. */
export const cardHardwareType = fromHex('69838febf8e581afcab8d797f9a0eddbf4a0c45306');

/** DER of a subjectAltName's GeneralNames that holds this one name; the serial has 16 bytes. */
export function hardwareModuleNames(serial: Uint8Array): Uint8Array {
  const name = encodeTlv(
    derTags.sequence,
    concatBytes(
      encodeTlv(derTags.objectIdentifier, cardHardwareType),
      encodeTlv(derTags.octetString, serial),
    ),
  );
  const otherName = concatBytes(
    encodeTlv(derTags.objectIdentifier, hardwareModuleNameId),
    encodeTlv(otherNameTag, name),
  );
  return encodeTlv(derTags.sequence, encodeTlv(otherNameTag, otherName));
}

/**
 * hwSerialNum of an otherName's content; undefined for an otherName of another kind. hwType is the
 * maker's own. Throws TlvError.
 */
export function readHardwareSerial(content: Uint8Array): Uint8Array | undefined {
  const what = 'hardware module name';
  const fields = new DerReader(content, what);
  const kind = fields.read(derTags.objectIdentifier, what).content;
  if (!equalBytes(kind, hardwareModuleNameId)) return undefined;
  const value = new DerReader(fields.read(otherNameTag, what).content, what);
  fields.end();
  const name = value.sequence(what);
  value.end();
  name.read(derTags.objectIdentifier, what);
  const serial = name.read(derTags.octetString, what).content;
  name.end();
  return serial;
}
