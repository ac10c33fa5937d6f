"""The card's half of SCP03 in Keytoll's profile: AES-256, S16, level 33 (secure-channel.md)."""

import hmac
import os

from primitives import aes, cbc_decrypt, cbc_encrypt, cmac

LAST_COMMAND = 4_294_967_295


def derive(key: bytes, constant: int, context: bytes, size: int = 32) -> bytes:
    """Amendment D §4.1.5."""
    bits = (8 * size).to_bytes(2, "big")
    return b"".join(
        cmac(key, bytes(11) + bytes([constant, 0]) + bits + bytes([i]) + context)
        for i in range(1, size // 16 + 1)
    )


def pad(data: bytes) -> bytes:
    return data + b"\x80" + bytes(-(len(data) + 1) % 16)


class BadMessage(Exception):
    """A MAC, a cryptogram or a padding that is wrong."""


class Session:
    """From INITIALIZE UPDATE on; `open` once EXTERNAL AUTHENTICATE was good."""

    def __init__(self, keys, station_challenge: bytes):
        self.keys = keys
        self.card_challenge = os.urandom(16)
        self.station_challenge = station_challenge
        context = station_challenge + self.card_challenge
        self.s_enc = derive(keys.enc, 4, context)
        self.s_mac = derive(keys.mac, 6, context)
        self.s_rmac = derive(keys.mac, 7, context)
        self.card_cryptogram = derive(self.s_mac, 0, context, 16)
        self.host_cryptogram = derive(self.s_mac, 1, context, 16)
        self.chaining = bytes(16)
        self.counter = 0

    def authenticate(self, p1: int, p2: int, data: bytes) -> bool:
        if (p1, p2) != (0x33, 0) or len(data) != 32:
            return False
        mac = cmac(self.s_mac, self.chaining, bytes([0x84, 0x82, p1, p2, 32]), data[:16])
        self.chaining = mac
        return hmac.compare_digest(mac + self.host_cryptogram, data[16:] + data[:16])

    def unwrap(self, ins: int, p1: int, p2: int, wrapped: bytes) -> bytes:
        size = len(wrapped)
        length = bytes([size]) if size < 256 else b"\0" + size.to_bytes(2, "big")
        body, sent = wrapped[:-16], wrapped[-16:]
        mac = cmac(self.s_mac, self.chaining, bytes([0x84, ins, p1, p2]), length, body)
        if size < 16 or self.counter == LAST_COMMAND or not hmac.compare_digest(mac, sent):
            raise BadMessage
        self.chaining = mac
        self.counter += 1
        if not body:
            return b""
        if len(body) % 16:
            raise BadMessage
        plain = cbc_decrypt(self.s_enc, aes(self.s_enc, self.counter.to_bytes(16, "big")), body)
        data = plain.rstrip(b"\0")
        if not data.endswith(b"\x80") or len(plain) - len(data) > 15:
            raise BadMessage
        return data[:-1]

    def wrap(self, answer: bytes) -> bytes:
        """An answer of 9000, encrypted and under the response MAC."""
        iv = aes(self.s_enc, b"\x80" + self.counter.to_bytes(15, "big"))
        body = cbc_encrypt(self.s_enc, iv, pad(answer)) if answer else b""
        return body + cmac(self.s_rmac, self.chaining, body, b"\x90\0")
