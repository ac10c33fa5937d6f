"""The card's maker: its root, and cards fresh from it (attestation.md; certificates.md)."""

import datetime
import json
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from memory import Memory, MemoryFile, StationKeys
from tlv import element

ARC = "2.25.265741460712832717140298517270269272659"
# Its content is written here: older libraries take no arcs of 128 bits.
EXTENDED_KEY_USAGE = ObjectIdentifier("2.5.29.37")
START = datetime.datetime(2026, 1, 1)
FOREVER = datetime.datetime(9999, 12, 31, 23, 59, 59)
USAGES = (
    "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
    "key_cert_sign crl_sign encipher_only decipher_only"
).split()


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(*granted):
    return x509.KeyUsage(**{u: u in granted for u in USAGES})


def oid_bytes(dotted: str) -> bytes:
    """The content of an OBJECT IDENTIFIER."""
    first, second, *rest = map(int, dotted.split("."))
    content = b""
    for arc in [first * 40 + second, *rest]:
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | arc & 0x7F)
        content += bytes(reversed(digits))
    return content


class Maker:
    """Founded anew for each card: `root_file` gets its root certificate, DER."""

    def __init__(self, root_file: Path):
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = name("an independent maker")
        self.key_id = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        self.root = (
            x509.CertificateBuilder(subject, subject, self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(START)
            .not_valid_after(FOREVER)
            .add_extension(x509.BasicConstraints(True, 0), True)
            .add_extension(usage("key_cert_sign", "crl_sign"), True)
            .add_extension(self.key_id, False)
            .sign(self.key, SHA256())
        )
        root_file.write_bytes(self.root.public_bytes(Encoding.DER))

    def certify(self, public, serial: bytes) -> bytes:
        module = element(0x30, element(0x06, oid_bytes(ARC + ".6")), element(0x04, serial))
        role = element(0x30, element(0x06, oid_bytes(ARC + ".5")))
        alternative = x509.OtherName(ObjectIdentifier("1.3.6.1.5.5.7.8.4"), module)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self.key_id)
        return (
            x509.CertificateBuilder(self.root.subject, name(serial.hex()), public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(START)
            .not_valid_after(FOREVER)
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(usage("digital_signature"), True)
            .add_extension(x509.UnrecognizedExtension(EXTENDED_KEY_USAGE, role), True)
            .add_extension(x509.SubjectAlternativeName([alternative]), False)
            .add_extension(issuer, False)
            .sign(self.key, SHA256())
            .public_bytes(Encoding.DER)
        )

    def make(self, store: MemoryFile, delivery_file: Path):
        """A blank card, and the delivery file for its station."""
        serial, keys = secrets.token_bytes(16), [secrets.token_bytes(32) for _ in range(4)]
        device = ec.generate_private_key(ec.SECP256R1())
        certificate = self.certify(device.public_key(), serial)
        private = device.private_numbers().private_value
        store.commit(Memory(serial, StationKeys(0x30, *keys), private, certificate))
        names = ("enc", "mac", "dek", "hostLink")
        delivery = {
            "keytollCard": 1,
            "serial": serial.hex(),
            "keyVersion": 0x30,
            "keys": {name: key.hex() for name, key in zip(names, keys)},
        }
        delivery_file.write_text(json.dumps(delivery))
