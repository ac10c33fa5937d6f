"""Vectors of attestations: device certificates by python3-cryptography, the rest by tlv_writer.

The attestations are the same at every run; the certificates' signatures are not.
"""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID

from stable_bytes import stable_bytes, write_vectors
from tlv_writer import Signer, high_s, tlv, uint

NOW = datetime.datetime(2026, 7, 1, 12, 0, 0)
DAY = datetime.timedelta(days=1)
FOREVER = datetime.datetime(9999, 12, 31, 23, 59, 59)
ARC = bytes.fromhex("69838febf8e581afcab8d797f9a0eddbf4a0c453")
USER, STATION_DOCUMENT, CARD_DEVICE, CARD = (ARC + bytes([last]) for last in (1, 3, 5, 6))
LABEL = b"keytoll attestation 1\0"

SERIAL, OTHER_SERIAL = stable_bytes("serial", 16), stable_bytes("other serial", 16)
NONCE, OTHER_NONCE = stable_bytes("nonce", 32), stable_bytes("other nonce", 32)
DEVICE, OTHER_DEVICE = Signer("device"), Signer("other device")
KEY, OTHER_KEY = Signer("the card's key pair"), Signer("another key pair")


def common_name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def key_usage(*wanted):
    names = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{name: name in wanted for name in names})


def hardware_module(serial, hardware_type=CARD):
    value = tlv(0x30, tlv(0x06, hardware_type) + tlv(0x04, serial))
    return x509.OtherName(x509.ObjectIdentifier("1.3.6.1.5.5.7.8.4"), value)


class Maker:
    def __init__(self, seed, name, is_ca=True):
        self.key = Signer(seed).private
        self.name = common_name(name)
        builder = (
            x509.CertificateBuilder().subject_name(self.name).issuer_name(self.name)
            .public_key(self.key.public_key()).serial_number(1)
            .not_valid_before(NOW - 1000 * DAY).not_valid_after(NOW + 7000 * DAY)
            .add_extension(x509.BasicConstraints(is_ca, 0 if is_ca else None), True)
            .add_extension(key_usage("key_cert_sign", "crl_sign"), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
        )
        self.der = builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def equip(self, serial=SERIAL, device=DEVICE, usage=CARD_DEVICE, names=None, until=FOREVER,
              since=NOW - 100 * DAY, constraints=x509.BasicConstraints(False, None), authority=True):
        names = names or [hardware_module(serial)]
        usages = x509.UnrecognizedExtension(
            ExtensionOID.EXTENDED_KEY_USAGE, tlv(0x30, tlv(0x06, usage)))
        builder = (
            x509.CertificateBuilder().subject_name(common_name(serial.hex())).issuer_name(self.name)
            .public_key(device.private.public_key()).serial_number(0x2001)
            .not_valid_before(since).not_valid_after(until)
            .add_extension(constraints, True)
            .add_extension(key_usage("digital_signature"), True)
            .add_extension(usages, True)
            .add_extension(x509.SubjectAlternativeName(names), False)
        )
        if authority:
            builder = builder.add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)


MAKER, NAMESAKE, OTHER = Maker("maker", "A card maker"), Maker("namesake", "A card maker"), Maker(
    "other maker", "Another card maker")


def body(serial=SERIAL, key=KEY, nonce=NONCE, policy=0x0F, version=1):
    return tlv(0xA0, tlv(0x80, uint(version)) + tlv(0x81, b"\1") + tlv(0x82, serial)
               + tlv(0x83, key.public) + tlv(0x84, nonce) + tlv(0x85, uint(policy)))


def attestation(signer=DEVICE, label=LABEL, spoil=lambda signature: signature, **content):
    signed = body(**content)
    return tlv(0xEC, signed + tlv(0x9E, spoil(signer.sign(label + signed))))


def answer(certificate, attested):
    return tlv(0x78, tlv(0x80, certificate) + attested)


def vector(comment, expected, certificate=None, attested=None, makers=(MAKER,), nonce=NONCE,
           serial=SERIAL, key=KEY):
    whole = answer(certificate or MAKER.equip(), attested or attestation())
    return {
        "comment": comment, "tags": ["attestation"], "answer": whole.hex(),
        "makers": [maker.der.hex() for maker in makers],
        "now": int(NOW.replace(tzinfo=datetime.timezone.utc).timestamp()),
        "serial": serial.hex(), "nonce": nonce.hex(), "publicKey": key.public.hex(),
        "expected": expected,
    }


def accepted():
    short, long = stable_bytes("short nonce", 16), stable_bytes("long nonce", 64)
    makers_type = bytes.fromhex("2b0601040181fd5901")
    return [
        vector("a card's key pair", "ok"),
        vector("with the shortest nonce", "ok", attested=attestation(nonce=short), nonce=short),
        vector("with the longest nonce", "ok", attested=attestation(nonce=long), nonce=long),
        vector("one of several makers", "ok", makers=(OTHER, NAMESAKE, MAKER)),
        vector("a device certificate without authority key identifier", "ok",
               MAKER.equip(authority=False), makers=(NAMESAKE, MAKER)),
        vector("a hardware type of the maker's own", "ok",
               MAKER.equip(names=[hardware_module(SERIAL, makers_type)])),
    ]


def refused():
    is_ca = x509.BasicConstraints(True, 0)
    user = [x509.RFC822Name("alice@q1")]
    bad = "bad-device-certificate"
    return [
        vector("no maker is trusted", "unknown-maker", makers=()),
        vector("another maker", "unknown-maker", OTHER.equip()),
        vector("another maker under the trusted one's name", "unknown-maker", NAMESAKE.equip()),
        vector("forged under the trusted maker's name", "unknown-maker",
               NAMESAKE.equip(authority=False)),
        vector("a user's certificate in place of the device's", bad,
               MAKER.equip(usage=USER, names=user)),
        vector("a station's certificate in place of the device's", bad,
               MAKER.equip(usage=STATION_DOCUMENT, names=[x509.DNSName("q1")])),
        vector("a device certificate that is a CA's", bad, MAKER.equip(constraints=is_ca)),
        vector("a device certificate out of date", bad, MAKER.equip(until=NOW - DAY)),
        vector("a device certificate of the future", bad, MAKER.equip(since=NOW + DAY)),
        vector("a device certificate without serial number", bad,
               MAKER.equip(names=[x509.DNSName("q1")])),
        vector("a device certificate with a serial number of 15 bytes", bad,
               MAKER.equip(names=[hardware_module(SERIAL[:15])])),
        vector("a device certificate with two names", bad,
               MAKER.equip(names=[hardware_module(SERIAL), x509.DNSName("q1")])),
        vector("a device certificate that is none", bad, b"\x30\x03\x02\x01\x01"),
        vector("a root that is no CA", bad, makers=(Maker("maker", "A card maker", is_ca=False),)),
        vector("a good attestation of another card", "other-card",
               MAKER.equip(OTHER_SERIAL, OTHER_DEVICE),
               attestation(OTHER_DEVICE, serial=OTHER_SERIAL)),
        vector("another card's serial number, signed by this device", "other-card",
               attested=attestation(serial=OTHER_SERIAL)),
        vector("signed by the key pair itself", "bad-signature", attested=attestation(KEY)),
        vector("signed by another device of the maker", "bad-signature",
               attested=attestation(OTHER_DEVICE)),
        vector("signed under another label", "bad-signature",
               attested=attestation(label=b"keytoll possession 1\0")),
        vector("signed with the upper half of s", "bad-signature",
               attested=attestation(spoil=high_s)),
        vector("made before, over another nonce", "other-nonce",
               attested=attestation(nonce=OTHER_NONCE)),
        vector("of another key pair", "other-key", attested=attestation(key=OTHER_KEY)),
        vector("a key that was not made on the card", "weak-policy",
               attested=attestation(policy=0x0E)),
        vector("a key that signs whatever it is asked to", "weak-policy",
               attested=attestation(policy=0x0B)),
        vector("a key without any promise", "weak-policy", attested=attestation(policy=0)),
    ]


def malformed():
    certificate = MAKER.equip()
    good = attestation()
    cases = [
        ("a nonce of 15 bytes", answer(certificate, attestation(nonce=NONCE[:15])), "out-of-bounds"),
        ("a nonce of 65 bytes", answer(certificate, attestation(nonce=NONCE + NONCE + b"\0")),
         "out-of-bounds"),
        ("a promise that there is not", answer(certificate, attestation(policy=0x1F)),
         "out-of-bounds"),
        ("version 2", answer(certificate, attestation(version=2)), "out-of-bounds"),
        ("no attestation", tlv(0x78, tlv(0x80, certificate)), "truncated"),
        ("no device certificate", tlv(0x78, good), "unexpected-tag"),
        ("the attestation first", tlv(0x78, good + tlv(0x80, certificate)), "unexpected-tag"),
        ("a byte behind the end", answer(certificate, good) + b"\0", "trailing-bytes"),
    ]
    return [{"comment": comment, "tags": ["malformed"], "answer": made.hex(), "refusal": code}
            for comment, made, code in cases]


def main():
    write_vectors(
        "attestation.json",
        "Made by make_attestation.py: X.509 of python3-cryptography, TLV and RFC 6979 of its own.",
        {"attestation": [{"comment": "the first vector's attestation", "tags": ["bytes"],
                          "body": body().hex(), "deviceKey": DEVICE.scalar.to_bytes(32, "big").hex(),
                          "hex": attestation().hex()}],
         "accepted": accepted(), "refused": refused(), "malformed": malformed()},
    )


main()
