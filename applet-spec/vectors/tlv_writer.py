"""A second maker's TLV writer, signer and hash tree: nothing here comes from the specification's code."""

import hashlib
import hmac

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def length_of(count):
    if count < 0x80:
        return bytes([count])
    octets = count.to_bytes((count.bit_length() + 7) // 8, "big")
    return bytes([0x80 + len(octets)]) + octets


def tlv(tag, content):
    return bytes([tag]) + length_of(len(content)) + content


def uint(value):
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


class Signer:
    """ECDSA P-256 with RFC 6979's nonce and low s: the same signature at every run."""

    def __init__(self, name):
        self.name = name
        self.scalar = int.from_bytes(hashlib.sha256(f"key of {name}".encode()).digest(), "big") % ORDER
        self.private = ec.derive_private_key(self.scalar, ec.SECP256R1())
        self.public = self.private.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint)

    def sign(self, message):
        digest = int.from_bytes(sha256(message), "big") % ORDER
        nonce = self._nonce(digest)
        point = ec.derive_private_key(nonce, ec.SECP256R1()).public_key().public_numbers()
        r = point.x % ORDER
        s = pow(nonce, -1, ORDER) * (digest + r * self.scalar) % ORDER
        s = min(s, ORDER - s)
        self.private.public_key().verify(
            encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def _nonce(self, digest):
        """RFC 6979 §3.2, SHA-256."""
        seed = self.scalar.to_bytes(32, "big") + digest.to_bytes(32, "big")
        v, k = b"\1" * 32, b"\0" * 32
        for step in (b"\0", b"\1"):
            k = hmac.digest(k, v + step + seed, "sha256")
            v = hmac.digest(k, v, "sha256")
        while True:
            v = hmac.digest(k, v, "sha256")
            nonce = int.from_bytes(v, "big")
            if 0 < nonce < ORDER:
                return nonce
            k = hmac.digest(k, v + b"\0", "sha256")
            v = hmac.digest(k, v, "sha256")


def high_s(signature):
    s = int.from_bytes(signature[32:], "big")
    return signature[:32] + (ORDER - s).to_bytes(32, "big")


def leaf_hash(data):
    return sha256(b"\0", data)


def tree_root(leaves):
    """MTH of RFC 6962 §2.1, as it is written there; over leaf hashes."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\1", tree_root(leaves[:k]), tree_root(leaves[k:]))


def audit_path(m, leaves):
    """PATH of RFC 6962 §2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return audit_path(m, leaves[:k]) + [tree_root(leaves[k:])]
    return audit_path(m - k, leaves[k:]) + [tree_root(leaves[:k])]
