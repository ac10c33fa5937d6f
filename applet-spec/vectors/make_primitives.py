"""Vectors of the primitives: published ones, checked, and more of the same kind.

Run beside stable_bytes.py; Debian 12's python3-cryptography will do.
"""

import hashlib
import hmac

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.poly1305 import Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from stable_bytes import stable_bytes, write_vectors

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def cmac_of(key, message):
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()


def cmac_vectors():
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    text = bytes.fromhex(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    )
    published = {
        0: "bb1d6929e95937287fa37d129b756746",
        16: "070a16b46b4d4144f79bdd9dd04a287c",
        40: "dfa66747de9ae63030ca32611497c827",
        64: "51f0bebf7e3b9d92fc49741779363cfe",
    }
    vectors = []
    for length, tag in published.items():
        assert cmac_of(key, text[:length]).hex() == tag
        vectors.append(case(f"RFC 4493 §4, {length} bytes", ["published"], key=key,
                            message=text[:length], mac=bytes.fromhex(tag)))
    for size in (16, 24, 32):
        for length in (0, 1, 15, 16, 17, 31, 32, 33, 100, 4096):
            key = stable_bytes(f"cmac key {size} {length}", size)
            message = stable_bytes(f"cmac message {size} {length}", length)
            vectors.append(case(f"AES-{8 * size}, {length} bytes", [], key=key, message=message,
                                mac=cmac_of(key, message)))
    return vectors


def cbc_vectors():
    vectors = []
    for size in (16, 24, 32):
        for blocks in (0, 1, 2, 17):
            key = stable_bytes(f"cbc key {size}", size)
            iv = stable_bytes(f"cbc iv {blocks}", 16)
            plaintext = stable_bytes(f"cbc plaintext {blocks}", 16 * blocks)
            encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
            ciphertext = encryptor.update(plaintext) + encryptor.finalize()
            vectors.append(case(f"AES-{8 * size}, {blocks} blocks", [], key=key, iv=iv,
                                plaintext=plaintext, ciphertext=ciphertext))
    return vectors


def ecb_vectors():
    block = bytes.fromhex("00112233445566778899aabbccddeeff")
    published = {
        16: "69c4e0d86a7b0430d8cdb78070b4c55a",
        24: "dda97ca4864cdfe06eaf70a0ec0d7191",
        32: "8ea2b7ca516745bfeafc49904b496089",
    }
    vectors = []
    for size, expected in published.items():
        key = bytes(range(size))
        encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        assert encryptor.update(block).hex() == expected
        vectors.append(case(f"FIPS 197 appendix C, AES-{8 * size}", ["published"], key=key,
                            block=block, encrypted=bytes.fromhex(expected)))
    return vectors


def gcm_vectors():
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    published = [
        ("13", bytes(32), bytes(12), b"", b"", "530f8afbc74536b9a963b4f1c4cb738b"),
        ("14", bytes(32), bytes(12), bytes(16), b"",
         "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
        ("16", key, bytes.fromhex("cafebabefacedbaddecaf888"),
         bytes.fromhex(
             "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
             "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"),
         bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
         "76fc6ece0f4e1768cddf8853bb2d551b"),
    ]
    vectors = []
    for number, key, nonce, plaintext, data, sealed in published:
        assert AESGCM(key).encrypt(nonce, plaintext, data).hex() == sealed
        vectors.append(case(f"GCM specification, test case {number}", ["published"], key=key,
                            nonce=nonce, plaintext=plaintext, associatedData=data,
                            sealed=bytes.fromhex(sealed)))
    for length in (0, 1, 16, 255, 1000):
        key, nonce = stable_bytes(f"gcm key {length}", 32), stable_bytes(f"gcm nonce {length}", 12)
        plaintext = stable_bytes(f"gcm plaintext {length}", length)
        data = stable_bytes(f"gcm data {length}", length % 40)
        vectors.append(case(f"{length} bytes", [], key=key, nonce=nonce, plaintext=plaintext,
                            associatedData=data,
                            sealed=AESGCM(key).encrypt(nonce, plaintext, data)))
    return vectors


def poly1305_vectors():
    key = bytes.fromhex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b")
    message = b"Cryptographic Forum Research Group"
    tag = bytes.fromhex("a8061dc1305136c6c22b8baf0c0127a9")
    assert Poly1305.generate_tag(key, message) == tag
    vectors = [case("RFC 8439 §2.5.2", ["published"], key=key, message=message, mac=tag)]
    edges = [
        ("RFC 8439 A.3 #7: r = 2, block of ff", "02", 0, "ff" * 16),
        ("RFC 8439 A.3 #8: sum wraps", "02", 1, "02" + "00" * 15),
        ("RFC 8439 A.3 #9: h just below the prime", "01", 0,
         "ff" * 16 + "f0" + "ff" * 15 + "11" + "00" * 15),
        ("RFC 8439 A.3 #10: h equal to the prime", "01", 0,
         "ff" * 16 + "fb" + "fe" * 15 + "01" * 16),
    ]
    for comment, r, s_is_ones, text in edges:
        key = bytes.fromhex(r) + bytes(15) + (b"\xff" * 16 if s_is_ones else bytes(16))
        message = bytes.fromhex(text)
        vectors.append(case(comment, ["edge"], key=key, message=message,
                            mac=Poly1305.generate_tag(key, message)))
    for length in (0, 1, 15, 16, 17, 32, 255, 1000):
        key = stable_bytes(f"poly key {length}", 32)
        message = stable_bytes(f"poly {length}", length)
        vectors.append(case(f"{length} bytes", [], key=key, message=message,
                            mac=Poly1305.generate_tag(key, message)))
    return vectors


def rfc6979_nonce(scalar, digest):
    """RFC 6979 §3.2 for P-256 and SHA-256; the digest is as long as the order."""
    secret = scalar.to_bytes(32, "big")
    reduced = (int.from_bytes(digest, "big") % ORDER).to_bytes(32, "big")
    key, value = bytes(32), b"\x01" * 32
    for mark in (b"\x00", b"\x01"):
        key = hmac.digest(key, value + mark + secret + reduced, "sha256")
        value = hmac.digest(key, value, "sha256")
    while True:
        value = hmac.digest(key, value, "sha256")
        nonce = int.from_bytes(value, "big")
        if 0 < nonce < ORDER:
            return nonce
        key = hmac.digest(key, value + b"\x00", "sha256")
        value = hmac.digest(key, value, "sha256")


def sign(key, message):
    """r and s as RFC 6979 gives them, s high or low; checked by the library's verification."""
    scalar = key.private_numbers().private_value
    digest = hashlib.sha256(message).digest()
    nonce = rfc6979_nonce(scalar, digest)
    r = ec.derive_private_key(nonce, ec.SECP256R1()).public_key().public_numbers().x % ORDER
    s = pow(nonce, -1, ORDER) * (int.from_bytes(digest, "big") + r * scalar) % ORDER
    key.public_key().verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    return r, s


def low_s(signature):
    r, s = signature
    return raw(r, min(s, ORDER - s))


def raw(r, s):
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def ecdsa_vectors():
    published = {
        "sample": ("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
                   "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"),
        "test": ("f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
                 "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083"),
    }
    scalar = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    vectors = []
    for text, (r, s) in published.items():
        key = ec.derive_private_key(scalar, ec.SECP256R1())
        signature = sign(key, text.encode())
        assert raw(*signature).hex() == r + s
        vectors.append(signed(f"RFC 6979 A.2.5 '{text}', s brought low", ["published"], key,
                              text.encode(), signature))
    for index in range(12):
        scalar = int.from_bytes(stable_bytes(f"scalar {index}", 32), "big") % (ORDER - 1) + 1
        key = ec.derive_private_key(scalar, ec.SECP256R1())
        message = stable_bytes(f"signed {index}", 37 * index)
        vectors.append(signed(f"{len(message)} bytes", [], key, message, sign(key, message)))
    for comment, scalar in (("scalar 1", 1), ("the greatest scalar", ORDER - 1)):
        key = ec.derive_private_key(scalar, ec.SECP256R1())
        vectors.append(signed(comment, ["edge"], key, b"edge", sign(key, b"edge")))
    return vectors


def signed(comment, tags, key, message, signature):
    return case(comment, tags, privateKey=key.private_numbers().private_value.to_bytes(32, "big"),
                publicKey=point(key), message=message, signature=low_s(signature))


def point(key):
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def refused_signatures():
    key = ec.derive_private_key(0xC0FFEE, ec.SECP256R1())
    other = ec.derive_private_key(0xC0FFEF, ec.SECP256R1())
    message = b"two hands"
    good = low_s(sign(key, message))
    r, s = int.from_bytes(good[:32], "big"), int.from_bytes(good[32:], "big")
    key.public_key().verify(encode_dss_signature(r, ORDER - s), message, ec.ECDSA(hashes.SHA256()))
    der = encode_dss_signature(r, s)
    bad = [
        ("high s, otherwise valid", message, raw(r, ORDER - s)),
        ("r = 0", message, raw(0, s)),
        ("s = 0", message, raw(r, 0)),
        ("r = s = 0", message, bytes(64)),
        ("r = order", message, raw(ORDER, s)),
        ("s = order", message, raw(r, ORDER)),
        ("r = s = 1", message, raw(1, 1)),
        ("all ones", message, b"\xff" * 64),
        ("r and s swapped", message, good[32:] + good[:32]),
        ("bit of r flipped", message, bytes([good[0] ^ 1]) + good[1:]),
        ("bit of s flipped", message, good[:63] + bytes([good[63] ^ 1])),
        ("63 bytes", message, good[:63]),
        ("65 bytes", message, good + b"\x00"),
        ("empty", message, b""),
        ("DER form", message, der),
        ("another message", b"two handz", good),
        ("another key", message, low_s(sign(other, message))),
    ]
    vectors = [case(comment, ["refused"], publicKey=point(key), message=text, signature=signature)
               for comment, text, signature in bad]
    for vector in vectors[1:]:
        assert_refused(key, vector)
    return [signed("the valid one", ["valid"], key, message, sign(key, message))] + vectors


def assert_refused(key, vector):
    signature = bytes.fromhex(vector["signature"])
    if len(signature) != 64:
        return
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    message = bytes.fromhex(vector["message"])
    try:
        key.public_key().verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return
    raise AssertionError(vector["comment"])


def refused_points():
    good = point(ec.derive_private_key(0xC0FFEE, ec.SECP256R1()))
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    secp256k1 = ec.derive_private_key(7, ec.SECP256K1())
    bad = [
        ("y off the curve", good[:64] + bytes([good[64] ^ 1])),
        ("x off the curve", good[:1] + bytes([good[1] ^ 1]) + good[2:]),
        ("origin", b"\x04" + bytes(64)),
        ("infinity", b"\x00"),
        ("a point of secp256k1", point(secp256k1)),
        ("x not reduced", b"\x04" + prime.to_bytes(32, "big") + good[33:]),
        ("compressed form", bytes([2 + (good[64] & 1)]) + good[1:33]),
        ("hybrid form", bytes([6 + (good[64] & 1)]) + good[1:]),
        ("64 bytes", good[:64]),
        ("66 bytes", good + b"\x00"),
        ("empty", b""),
    ]
    return [case(comment, ["refused"], publicKey=value) for comment, value in bad]


def case(comment, tags, **values):
    in_hex = {name: value.hex() for name, value in values.items()}
    return {"comment": comment, "tags": tags, **in_hex}


def main():
    message = b"abc"
    write_vectors(
        "primitives.json",
        "Made by make_primitives.py with python3-cryptography; those tagged 'published' are "
        "from the standard named.",
        {
            "sha256": [case("FIPS 180-4 'abc'", ["published"], message=message,
                            digest=hashlib.sha256(message).digest()),
                       case("empty", [], message=b"", digest=hashlib.sha256(b"").digest())],
            "aesCmac": cmac_vectors(),
            "aesCbc": cbc_vectors(),
            "aesEcb": ecb_vectors(),
            "aesGcm": gcm_vectors(),
            "poly1305": poly1305_vectors(),
            "ecdsa": ecdsa_vectors(),
            "ecdsaVerdicts": refused_signatures(),
            "refusedPublicKeys": refused_points(),
        },
    )


main()
