"""Vectors of sealed records, by the AES-GCM of python3-cryptography."""

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from stable_bytes import stable_bytes, write_vectors

KINDS = {"desk": 1, "peer": 2}


def seal(key, kind, epoch, sequence, plaintext, version=1):
    nonce = epoch.to_bytes(4, "big") + sequence.to_bytes(8, "big")
    header = bytes([version, kind]) + nonce
    return header + AESGCM(key).encrypt(nonce, plaintext, header)


def accepted(index, kind, epoch, sequence, length):
    key = stable_bytes(f"record key {index}", 32)
    plaintext = stable_bytes(f"record {index}", length)
    return {
        "comment": f"{kind} record {sequence} of epoch {epoch}, {length} bytes",
        "tags": ["accepted"], "key": key.hex(), "kind": kind, "epoch": epoch, "sequence": sequence,
        "plaintext": plaintext.hex(),
        "record": seal(key, KINDS[kind], epoch, sequence, plaintext).hex(),
    }


def refused():
    key = stable_bytes("refused key", 32)
    good = seal(key, 2, 5, 0, b"hello")

    def vector(comment, code, record):
        return {"comment": comment, "tags": ["refused"], "key": key.hex(), "kind": "peer",
                "epoch": 5, "record": record.hex(), "code": code}

    def flipped(at):
        return good[:at] + bytes([good[at] ^ 1]) + good[at + 1:]

    return [
        vector("empty", "record-malformed", b""),
        vector("29 bytes", "record-malformed", good[:29]),
        vector("version 0", "record-malformed", seal(key, 2, 5, 0, b"hello", version=0)),
        vector("version 2", "record-malformed", seal(key, 2, 5, 0, b"hello", version=2)),
        vector("kind 0", "record-malformed", seal(key, 0, 5, 0, b"hello")),
        vector("kind 3", "record-malformed", seal(key, 3, 5, 0, b"hello")),
        vector("the other kind", "record-malformed", seal(key, 1, 5, 0, b"hello")),
        vector("sequence beyond the limit", "record-malformed", seal(key, 2, 5, 2**32, b"hello")),
        vector("the greatest sequence field", "record-malformed",
               seal(key, 2, 5, 2**64 - 1, b"hello")),
        vector("another epoch", "record-of-other-epoch", seal(key, 2, 6, 0, b"hello")),
        vector("another key", "record-forged", seal(stable_bytes("x", 32), 2, 5, 0, b"hello")),
        vector("sequence changed", "record-forged", flipped(13)),
        vector("ciphertext changed", "record-forged", flipped(14)),
        vector("tag changed", "record-forged", flipped(len(good) - 1)),
        vector("cut short", "record-forged", good[:-1]),
        vector("extended", "record-forged", good + b"\0"),
    ]


def main():
    cases = [("desk", 0, 0, 0), ("desk", 0, 0, 1), ("desk", 0, 1, 16), ("desk", 0, 255, 300),
             ("peer", 1, 0, 40), ("peer", 2**32 - 1, 0, 40), ("peer", 7, 65_536, 1000),
             ("peer", 7, 2**32 - 1, 5)]
    write_vectors(
        "sealed-records.json",
        "Made by make_sealed_records.py with python3-cryptography.",
        {"accepted": [accepted(index, *case) for index, case in enumerate(cases)],
         "refused": refused()},
    )


main()
