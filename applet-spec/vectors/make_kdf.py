"""Vectors of the one KDF, by the SP 800-108 implementation of python3-cryptography."""

from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode

from stable_bytes import stable_bytes, write_vectors


def derive(key, label, context, length):
    return KBKDFCMAC(
        algorithms.AES, Mode.CounterMode, length, 1, 2, CounterLocation.BeforeFixed,
        label, context, None,
    ).derive(key)


def vector(index, parts, context_bytes, length):
    key = stable_bytes(f"kdf key {index}", 32)
    context = stable_bytes(f"kdf context {index}", context_bytes)
    purpose = dict(zip(("label", "use", "direction"), parts))
    return {
        "comment": f"{':'.join(parts)}, context of {context_bytes} bytes, {length} bytes out",
        "tags": [],
        "key": key.hex(),
        "purpose": {**purpose, "context": context.hex()},
        "lengthBytes": length,
        "derived": derive(key, ":".join(parts).encode(), context, length).hex(),
    }


def main():
    cases = [
        (("keytoll card keys 1", "enc"), 16, 32),
        (("keytoll card keys 1", "mac"), 16, 32),
        (("keytoll host link 1", "traffic", "to-station"), 48, 32),
        (("keytoll host link 1", "traffic", "to-host"), 48, 32),
        (("keytoll peer key 1", "traffic", "to-payee"), 36, 32),
        (("keytoll peer key 1", "check"), 32, 8),
        (("a", "b"), 0, 1),
        (("a", "b"), 0, 16),
        (("a", "b"), 0, 17),
        (("a", "b"), 0, 31),
        (("a", "b"), 255, 32),
    ]
    write_vectors(
        "kdf.json",
        "Made by make_kdf.py with KBKDFCMAC of python3-cryptography "
        "(counter first, one byte; L two bytes).",
        {"kdf": [vector(index, *values) for index, values in enumerate(cases)]},
    )


main()
