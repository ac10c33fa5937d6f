"""Vectors of certificates and CRLs, by the X.509 of python3-cryptography (OpenSSL).

The P-256 keys are the same at every run; ECDSA signatures, and so the bytes, are not.
"""

import datetime
import ipaddress
import uuid

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID

from stable_bytes import stable_bytes, write_vectors

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
UUID = uuid.UUID("c7ebf194-0af9-4e2b-97f2-836dbe882253")


def role_oid(last):
    """Content of 2.25.UUID.last; the library itself reads no arcs of 128 bits."""
    digits, rest = [], UUID.int
    while rest:
        digits.append(rest & 0x7F)
        rest >>= 7
    high = [digit | 0x80 for digit in reversed(digits[1:])]
    return bytes([2 * 40 + 25, *high, digits[0], last])


TLS = [bytes.fromhex("2b06010505070301"), bytes.fromhex("2b06010505070302")]
ANY_USAGE = bytes.fromhex("551d2500")
USAGES = {
    "user": [role_oid(1)],
    "station-coin": [role_oid(2)],
    "station-document": [role_oid(3)],
    "station-tls": TLS,
}
NOW = datetime.datetime(2026, 7, 1, 12, 0, 0)
DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.32473.1"), b"\x05\x00")


def extended_key_usage(usages):
    value = tlv(0x30, *[tlv(0x06, usage) for usage in usages])
    return x509.UnrecognizedExtension(ExtensionOID.EXTENDED_KEY_USAGE, value)


def unix(time):
    return int(time.replace(tzinfo=datetime.timezone.utc).timestamp())


def p256(name):
    scalar = int.from_bytes(stable_bytes(name, 32), "big") % ORDER
    return ec.derive_private_key(scalar, ec.SECP256R1())


def common_name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def key_usage(*wanted):
    names = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{name: name in wanted for name in names})


class Ca:
    def __init__(self, seed, name, usage=("key_cert_sign", "crl_sign"), is_ca=True,
                 until=NOW + 7000 * DAY):
        self.key = p256(seed)
        self.name = common_name(name)
        builder = (
            x509.CertificateBuilder().subject_name(self.name).issuer_name(self.name)
            .public_key(self.key.public_key()).serial_number(1)
            .not_valid_before(NOW - 100 * DAY).not_valid_after(until)
            .add_extension(x509.BasicConstraints(is_ca, 0 if is_ca else None), True)
            .add_extension(key_usage(*usage), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
        )
        self.der = builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def authority(self):
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())

    def issue(self, role="user", names=None, usages=None, key=None, since=NOW - 10 * DAY,
              until=NOW + 300 * DAY, serial=0x1234, usage=("digital_signature",), authority=True,
              constraints=x509.BasicConstraints(False, None), more=(), signer=None,
              hash_=hashes.SHA256()):
        names = names if names is not None else [default_name(role)]
        usages = USAGES[role] if usages is None else usages
        key = key or p256("holder")
        builder = (
            x509.CertificateBuilder().subject_name(common_name("holder")).issuer_name(self.name)
            .public_key(key.public_key()).serial_number(serial)
            .not_valid_before(since).not_valid_after(until)
            .add_extension(constraints, True)
        )
        if usage:
            builder = builder.add_extension(key_usage(*usage), True)
        if usages:
            builder = builder.add_extension(extended_key_usage(usages), True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        if authority:
            builder = builder.add_extension(self.authority(), False)
        for extension, critical in more:
            builder = builder.add_extension(extension, critical)
        signer = signer or self.key
        hash_ = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hash_
        return builder.sign(signer, hash_).public_bytes(Encoding.DER)

    def crl(self, number=7, serials=(), since=NOW - HOUR, hours=24, more=(), entry=None,
            authority=True, signer=None):
        builder = (
            x509.CertificateRevocationListBuilder().issuer_name(self.name)
            .last_update(since).next_update(since + hours * HOUR)
        )
        if number is not None:
            builder = builder.add_extension(x509.CRLNumber(number), False)
        if authority:
            builder = builder.add_extension(self.authority(), False)
        for extension, critical in more:
            builder = builder.add_extension(extension, critical)
        for serial in serials:
            revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since)
            if entry:
                revoked = revoked.add_extension(*entry)
            builder = builder.add_revoked_certificate(revoked.build())
        return builder.sign(signer or self.key, hashes.SHA256()).public_bytes(Encoding.DER)


def default_name(role):
    return x509.RFC822Name("alice@q1") if role == "user" else x509.DNSName("q1")


def length_of(count):
    if count < 0x80:
        return bytes([count])
    size = (count.bit_length() + 7) // 8
    return bytes([0x80 | size]) + count.to_bytes(size, "big")


def tlv(tag, *parts):
    content = b"".join(parts)
    return bytes([tag]) + length_of(len(content)) + content


def split(content):
    """The elements of a constructed value, each as (tag, content)."""
    elements, at = [], 0
    while at < len(content):
        tag, count, at = content[at], content[at + 1], at + 2
        if count >= 0x80:
            size = count & 0x7F
            count, at = int.from_bytes(content[at:at + size], "big"), at + size
        elements.append((tag, content[at:at + count]))
        at += count
    return elements


def whole(elements, tag=0x30):
    return tlv(tag, *[tlv(inner, content) for inner, content in elements])


def with_s(der, high):
    """The same certificate with the asked half of s."""
    outer = split(split(der)[0][1])
    r, s = decode_dss_signature(outer[2][1][1:])
    s = max(s, ORDER - s) if high else min(s, ORDER - s)
    outer[2] = (0x03, b"\x00" + encode_dss_signature(r, s))
    return whole(outer)


def with_signature(der, signature):
    outer = split(split(der)[0][1])
    outer[2] = (0x03, b"\x00" + signature)
    return whole(outer)


def with_tbs(der, change):
    outer = split(split(der)[0][1])
    fields = split(outer[0][1])
    change(fields)
    outer[0] = (0x30, b"".join(tlv(tag, content) for tag, content in fields))
    return whole(outer)


def with_extensions(der, change):
    def inside(fields):
        index = next(i for i, (tag, _) in enumerate(fields) if tag == 0xA3)
        extensions = split(split(fields[index][1])[0][1])
        change(extensions)
        fields[index] = (0xA3, whole(extensions))
    return with_tbs(der, inside)


def replaced(index, element):
    def change(fields):
        fields[index] = element
    return change


def verdict(comment, certificate, expected, role="user", root=None, tags=(), **more):
    crl = more.pop("crl", GOOD_CRL)
    return {
        "comment": comment, "tags": list(tags), "certificate": certificate.hex(), "role": role,
        "now": unix(more.pop("now", NOW)), "root": (root or ROOT).der.hex(),
        "crl": crl.hex() if crl else None, **more, "expected": expected,
    }


ROOT = Ca("root", "Keytoll test CA")
OTHER = Ca("other root", "Another CA")
NAMESAKE = Ca("namesake root", "Keytoll test CA")
STOLEN = x509.CRLReason(x509.ReasonFlags.key_compromise)
GOOD_CRL = ROOT.crl(serials=[0xBAD, 0x80FF, 5], entry=(STOLEN, False))


def accepted():
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    further = [x509.DNSName("q1"), x509.DNSName("localhost"), loopback]
    good = ROOT.issue()
    end = NOW + 300 * DAY
    return [
        verdict("a user", good, "ok", name="alice@q1"),
        verdict(
            "a station's coin key", ROOT.issue("station-coin"), "ok", "station-coin", name="q1",
        ),
        verdict(
            "a station's document key", ROOT.issue("station-document"), "ok", "station-document",
        ),
        verdict("a station's TLS key", ROOT.issue("station-tls"), "ok", "station-tls", name="q1"),
        verdict(
            "a TLS key with further names", ROOT.issue("station-tls", further), "ok", "station-tls",
            name="q1",
        ),
        verdict("low s", with_s(good, False), "ok"),
        verdict("high s, as CAs write it", with_s(good, True), "ok", tags=["high-s"]),
        verdict(
            "an unknown extension that is not critical", ROOT.issue(more=[(UNKNOWN, False)]), "ok",
        ),
        verdict("no authority key identifier", ROOT.issue(authority=False), "ok"),
        verdict("a serial number of 20 bytes", ROOT.issue(serial=2**159 - 1), "ok"),
        verdict(
            "an end in 2060, as GeneralizedTime", ROOT.issue(until=datetime.datetime(2060, 1, 1)),
            "ok",
        ),
        verdict("its first second", ROOT.issue(since=NOW), "ok"),
        verdict("its last second", ROOT.issue(until=NOW), "ok"),
        verdict("a list in its last second", good, "ok", now=NOW + 23 * HOUR),
        verdict("a list in its grace", good, "grace", now=NOW + 24 * HOUR, grace=3600),
        verdict(
            "the last second before the end", good, "ok", now=end, crl=ROOT.crl(since=end - HOUR),
        ),
    ]


def refused():
    good = ROOT.issue()
    user, coin = USAGES["user"][0], USAGES["station-coin"][0]
    second = datetime.timedelta(seconds=1)
    is_ca = x509.BasicConstraints(True, 0)
    flipped = with_tbs(good, replaced(1, (0x02, b"\x12\x35")))
    long_list = ROOT.crl(since=NOW - 30 * HOUR, hours=168)
    old_root = Ca("root", "Keytoll test CA", until=NOW - DAY)
    return [
        verdict("expired a second ago", ROOT.issue(until=NOW - second), "expired"),
        verdict("valid in a second", ROOT.issue(since=NOW + second), "not-yet-valid"),
        verdict("of another CA", OTHER.issue(), "foreign"),
        verdict("of a CA of the same name with another key", NAMESAKE.issue(), "foreign"),
        verdict("forged under the root's name", NAMESAKE.issue(authority=False), "bad-signature"),
        verdict("a serial number changed after signing", flipped, "bad-signature"),
        verdict("revoked", ROOT.issue(serial=0xBAD), "revoked"),
        verdict(
            "revoked, a serial number with its first bit set", ROOT.issue(serial=0x80FF), "revoked",
        ),
        verdict("revoked, a serial number of one byte", ROOT.issue(serial=5), "revoked"),
        verdict(
            "revoked, on a list long stale", ROOT.issue(serial=5), "revoked", now=NOW + 9 * DAY,
        ),
        verdict("a user where a station is due", good, "wrong-role", "station-coin"),
        verdict(
            "a coin key where a document key is due", ROOT.issue("station-coin"), "wrong-role",
            "station-document",
        ),
        verdict("two roles at once", ROOT.issue(usages=[user, coin]), "wrong-role"),
        verdict("a role and any usage", ROOT.issue(usages=[user, ANY_USAGE]), "wrong-role"),
        verdict("no extended key usage", ROOT.issue(usages=[]), "wrong-role"),
        verdict(
            "TLS for servers alone", ROOT.issue("station-tls", usages=TLS[:1]), "wrong-role",
            "station-tls",
        ),
        verdict(
            "a CA certificate with a user's usage", ROOT.issue(constraints=is_ca), "wrong-role",
        ),
        verdict(
            "the root itself", ROOT.issue(), "bad-root",
            root=Ca("root", "Keytoll test CA", is_ca=False),
        ),
        verdict(
            "a root for lists alone", good, "bad-root",
            root=Ca("root", "Keytoll test CA", ("crl_sign",)),
        ),
        verdict("a root that has expired", good, "expired", root=old_root),
        verdict("another name than asked for", good, "wrong-name", name="bob@q1"),
        verdict(
            "a user of a station that cannot be", ROOT.issue(names=[x509.RFC822Name("alice@-q1")]),
            "wrong-name",
        ),
        verdict(
            "a user in capitals", ROOT.issue(names=[x509.RFC822Name("Alice@q1")]), "wrong-name",
        ),
        verdict(
            "two users", ROOT.issue(names=[x509.RFC822Name("alice@q1"), x509.RFC822Name("bob@q1")]),
            "wrong-name",
        ),
        verdict(
            "a user named like a station", ROOT.issue(names=[x509.DNSName("q1")]), "wrong-name",
        ),
        verdict(
            "a station named like a user",
            ROOT.issue("station-coin", [x509.RFC822Name("alice@q1")]), "wrong-name", "station-coin",
        ),
        verdict(
            "a coin key with a second name",
            ROOT.issue("station-coin", [x509.DNSName("q1"), x509.DNSName("q2")]), "wrong-name",
            "station-coin",
        ),
        verdict("no alternative name", ROOT.issue(names=[]), "wrong-name"),
        verdict(
            "a wildcard", ROOT.issue("station-tls", [x509.DNSName("*.q1")]), "wrong-name",
            "station-tls",
        ),
        verdict(
            "an unknown critical extension", ROOT.issue(more=[(UNKNOWN, True)]),
            "unknown-critical-extension",
        ),
        verdict(
            "name constraints, critical",
            ROOT.issue(more=[(x509.NameConstraints([x509.DNSName("q1")], None), True)]),
            "unknown-critical-extension",
        ),
        verdict("no key usage", ROOT.issue(usage=()), "wrong-key-usage"),
        verdict("a key for key agreement", ROOT.issue(usage=("key_agreement",)), "wrong-key-usage"),
        verdict(
            "a key that signs certificates too",
            ROOT.issue(usage=("digital_signature", "key_cert_sign")), "wrong-key-usage",
        ),
        verdict("no list", good, "crl-missing", crl=None),
        verdict(
            "a list past its time, without grace", good, "crl-stale", now=NOW + 23 * HOUR + second,
            grace=0,
        ),
        verdict(
            "a list past its grace", good, "crl-stale", now=NOW + 24 * HOUR + second, grace=3600,
        ),
        verdict(
            "a list that promises a week, after a day", good, "crl-stale", crl=long_list,
            grace=3600,
        ),
        verdict(
            "a list of the future", good, "crl-not-yet-valid", crl=ROOT.crl(since=NOW + second),
        ),
        verdict("a list of another CA", good, "crl-foreign", crl=OTHER.crl()),
        verdict(
            "a list forged under the root's name", good, "crl-foreign",
            crl=ROOT.crl(signer=OTHER.key),
        ),
        verdict(
            "a list under a root that signs none", good, "crl-foreign",
            root=Ca("root", "Keytoll test CA", ("key_cert_sign",)),
        ),
    ]


def malformed():
    good = ROOT.issue()
    outer = split(good)[0][1]
    long_form = b"\x30\x83\x00" + len(outer).to_bytes(2, "big") + outer
    indefinite = b"\x30\x80" + outer + b"\x00\x00"
    r, s = decode_dss_signature(split(outer)[2][1][1:])
    wide_r, wide_s = (b"\x00" + number.to_bytes(32, "big") for number in (r, s))
    padded_r = tlv(0x30, tlv(0x02, b"\x00" + wide_r), tlv(0x02, wide_s))

    def tail(signature):
        return with_signature(good, signature)

    def constraint(content):
        def change(extensions):
            extensions[0] = (0x30, bytes.fromhex("0603551d13") + content)
        return with_extensions(good, change)

    def validity(first, second):
        return with_tbs(good, replaced(4, (0x30, first + second)))

    until = tlv(0x17, b"270101000000Z")
    cases = [
        ("a byte behind it", good + b"\x00", "malformed"),
        ("its last byte missing", good[:-1], "malformed"),
        ("nothing", b"", "malformed"),
        ("a length that is not in its shortest form", long_form, "malformed"),
        ("an indefinite length", indefinite, "malformed"),
        ("a SET at its outside", b"\x31" + good[1:], "malformed"),
        ("more than 1,024 bytes", good + bytes(1024), "too-large"),
        ("r with a needless zero byte", tail(padded_r), "malformed"),
        ("r of zero", tail(encode_dss_signature(0, s)), "malformed"),
        ("s of the group's order", tail(encode_dss_signature(r, ORDER)), "malformed"),
        (
            "a negative r", tail(tlv(0x30, tlv(0x02, b"\x80" + bytes(31)), tlv(0x02, b"\x01"))),
            "malformed",
        ),
        ("a byte behind the signature", tail(encode_dss_signature(r, s) + b"\x00"), "malformed"),
        (
            "a byte behind s", tail(tlv(0x30, tlv(0x02, b"\x01"), tlv(0x02, b"\x01"), b"\x00")),
            "malformed",
        ),
        (
            "a signature of seven bits a byte",
            whole(split(outer)[:2] + [(0x03, b"\x01" + split(outer)[2][1][1:])]), "malformed",
        ),
        ("version 1", with_tbs(good, lambda fields: fields.pop(0)), "unsupported"),
        ("version 2", with_tbs(good, replaced(0, (0xA0, b"\x02\x01\x01"))), "unsupported"),
        ("a serial number of zero", with_tbs(good, replaced(1, (0x02, b"\x00"))), "malformed"),
        ("a negative serial number", with_tbs(good, replaced(1, (0x02, b"\xff"))), "malformed"),
        ("a padded serial number", with_tbs(good, replaced(1, (0x02, b"\x00\x01"))), "malformed"),
        ("a serial number without bytes", with_tbs(good, replaced(1, (0x02, b""))), "malformed"),
        (
            "a serial number of 21 bytes", with_tbs(good, replaced(1, (0x02, b"\x01" * 21))),
            "malformed",
        ),
        (
            "another algorithm inside than outside",
            with_tbs(good, replaced(2, (0x30, bytes.fromhex("06082a8648ce3d040303")))),
            "unsupported",
        ),
        (
            "an algorithm with parameters",
            with_tbs(good, replaced(2, (0x30, bytes.fromhex("06082a8648ce3d0403020500")))),
            "unsupported",
        ),
        (
            "an issuer's unique ID",
            with_tbs(good, lambda fields: fields.insert(7, (0x81, b"\x00\x01"))), "malformed",
        ),
        ("no extensions", with_tbs(good, lambda fields: fields.pop()), "malformed"),
        (
            "no extension among the extensions",
            with_extensions(good, lambda extensions: extensions.clear()), "malformed",
        ),
        (
            "an extension twice",
            with_extensions(good, lambda extensions: extensions.append(extensions[0])), "malformed",
        ),
        (
            "critical FALSE, written",
            constraint(bytes.fromhex("010100") + bytes.fromhex("04023000")), "malformed",
        ),
        (
            "critical 01", constraint(bytes.fromhex("010101") + bytes.fromhex("04023000")),
            "malformed",
        ),
        (
            "cA FALSE, written",
            constraint(bytes.fromhex("0101ff") + bytes.fromhex("04053003010100")), "malformed",
        ),
        (
            "a byte behind basic constraints",
            constraint(bytes.fromhex("0101ff") + bytes.fromhex("0403300000")), "malformed",
        ),
        (
            "an end without seconds",
            validity(tlv(0x17, b"260101000000Z"), tlv(0x17, b"2701010000Z")), "malformed",
        ),
        (
            "an end in a zone",
            validity(tlv(0x17, b"260101000000Z"), tlv(0x17, b"270101000000+0100")), "malformed",
        ),
        ("a 29th of February 2027", validity(tlv(0x17, b"270229000000Z"), until), "malformed"),
        ("a 13th month", validity(tlv(0x17, b"261301000000Z"), until), "malformed"),
        ("hour 24", validity(tlv(0x17, b"260101240000Z"), until), "malformed"),
        (
            "a GeneralizedTime before 2050", validity(tlv(0x18, b"20260101000000Z"), until),
            "malformed",
        ),
        ("a time with a fraction", validity(tlv(0x18, b"20600101000000.5Z"), until), "malformed"),
        ("three dates", validity(until, until + until), "malformed"),
        ("a P-384 key", ROOT.issue(key=ec.generate_private_key(ec.SECP384R1())), "unsupported"),
        (
            "a key of another kind", ROOT.issue(key=ed25519.Ed25519PrivateKey.generate()),
            "unsupported",
        ),
        ("ECDSA with SHA-384", ROOT.issue(hash_=hashes.SHA384()), "unsupported"),
        ("Ed25519", ROOT.issue(signer=ed25519.Ed25519PrivateKey.generate()), "unsupported"),
    ]
    return [{"comment": c, "tags": [], "der": der.hex(), "code": code} for c, der, code in cases]


def hex_of(number):
    return number.to_bytes((number.bit_length() + 7) // 8, "big").hex()


def lists():
    empty, full = ROOT.crl(number=0), ROOT.crl(number=2**100, serials=range(1, 300))
    issuing = x509.IssuingDistributionPoint(None, None, True, False, None, False, False)
    issuer = x509.CertificateIssuer([x509.DNSName("q1")])
    good = ROOT.crl(serials=[1])
    fields = split(split(split(good)[0][1])[0][1])
    dates = [i for i, (tag, _) in enumerate(fields) if tag == 0x17]

    def entries(content):
        index = dates[1] + 1
        return with_tbs(good, replaced(index, (0x30, content)))

    read = [
        ("no revocation, number 0", empty, {"number": "0", "revoked": []}),
        ("299 revocations, a number of 13 bytes", full,
         {"number": str(2**100), "revoked": [hex_of(n) for n in range(1, 300)]}),
        ("reasons", GOOD_CRL, {"number": "7", "revoked": ["05", "0bad", "80ff"]}),
        (
            "an unknown extension that is not critical", ROOT.crl(more=[(UNKNOWN, False)]),
            {"number": "7", "revoked": []},
        ),
    ]
    refused_ = [
        ("no number", ROOT.crl(number=None), "unsupported"),
        ("changes only", ROOT.crl(more=[(x509.DeltaCRLIndicator(5), True)]), "unsupported"),
        ("users only", ROOT.crl(more=[(issuing, True)]), "unsupported"),
        ("an entry of another issuer", ROOT.crl(serials=[1], entry=(issuer, True)), "unsupported"),
        ("version 1", with_tbs(good, lambda fields: fields.pop(0)), "unsupported"),
        ("no next update", with_tbs(good, lambda fields: fields.pop(dates[1])), "malformed"),
        ("no extensions", with_tbs(good, lambda fields: fields.pop()), "malformed"),
        ("an empty list of entries", entries(b""), "malformed"),
        (
            "an entry of extensions without one",
            entries(tlv(0x30, tlv(2, b"\x01"), tlv(0x17, b"260101000000Z"), b"\x30\x00")),
            "malformed",
        ),
        ("a byte behind it", good + b"\x00", "malformed"),
        ("its last byte missing", good[:-1], "malformed"),
        ("a certificate", ROOT.issue(), "unsupported"),
    ]
    times = {"thisUpdate": unix(NOW - HOUR), "nextUpdate": unix(NOW + 23 * HOUR)}
    return {
        "crls": [
            {"comment": c, "tags": [], "der": der.hex(), **times, **fields}
            for c, der, fields in read
        ],
        "malformedCrls": [
            {"comment": c, "tags": [], "der": der.hex(), "code": code}
            for c, der, code in refused_
        ],
    }


def main():
    write_vectors(
        "certificates.json",
        "Made by make_certificates.py with python3-cryptography. Times are Unix seconds.",
        {"accepted": accepted(), "refused": refused(), "malformed": malformed(), **lists()},
    )


main()
