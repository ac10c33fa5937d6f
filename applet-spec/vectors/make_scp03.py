"""Vectors of SCP03 beyond the recorded ones: S16, level 33, wrapped whole; and our own keys."""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode

from stable_bytes import stable_bytes, write_vectors


def scp03_derive(key, constant, context, length):
    before = bytes(11) + bytes([constant, 0]) + (8 * length).to_bytes(2, "big")
    return KBKDFCMAC(
        algorithms.AES, Mode.CounterMode, length, 1, None, CounterLocation.MiddleFixed,
        None, None, before + context, break_location=len(before),
    ).derive(key)


def keytoll_derive(key, label, context, length=32):
    return KBKDFCMAC(
        algorithms.AES, Mode.CounterMode, length, 1, 2, CounterLocation.BeforeFixed,
        label, context, None,
    ).derive(key)


def cmac(key, *parts):
    mac = CMAC(algorithms.AES(key))
    mac.update(b"".join(parts))
    return mac.finalize()


def cbc(key, iv, text):
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(text) + encryptor.finalize()


def ecb(key, block):
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)


def pad(text):
    padded = text + b"\x80"
    return padded + bytes(-len(padded) % 16)


class Session:
    """One side's view, straight from Amendment D; it only wraps."""

    def __init__(self, name, key_bytes, mac_bytes, level):
        self.name, self.mac_bytes, self.level = name, mac_bytes, level
        uses = ("enc", "mac", "dek")
        self.static = {use: stable_bytes(f"{name} {use}", key_bytes) for use in uses}
        self.host_challenge = stable_bytes(f"{name} host challenge", mac_bytes)
        self.card_challenge = stable_bytes(f"{name} card challenge", mac_bytes)
        context = self.host_challenge + self.card_challenge
        self.s_enc = scp03_derive(self.static["enc"], 0x04, context, key_bytes)
        self.s_mac = scp03_derive(self.static["mac"], 0x06, context, key_bytes)
        self.s_rmac = scp03_derive(self.static["mac"], 0x07, context, key_bytes)
        self.card_cryptogram = scp03_derive(self.s_mac, 0x00, context, mac_bytes)
        self.host_cryptogram = scp03_derive(self.s_mac, 0x01, context, mac_bytes)
        self.chaining = bytes(16)
        self.counter = 0

    def greeting(self, version):
        implementation = 0x60 | (0x01 if self.mac_bytes == 16 else 0x00)
        return (stable_bytes(f"{self.name} handle", 10) + bytes([version, 3, implementation])
                + self.card_challenge + self.card_cryptogram)

    def append_mac(self, header, data):
        length = len(data) + self.mac_bytes
        lc = bytes([length]) if length < 256 else b"\0" + length.to_bytes(2, "big")
        channel_zero = bytes([header[0] & 0xFC]) + header[1:]
        self.chaining = cmac(self.s_mac, self.chaining, channel_zero, lc, data)
        return data + self.chaining[: self.mac_bytes]

    def external_authenticate(self):
        header = bytes([0x84, 0x82, self.level, 0])
        return header.hex(), self.append_mac(header, self.host_cryptogram).hex()

    def command(self, header, data):
        self.counter += 1
        secured = bytes([header[0] | 4]) + header[1:]
        if self.level & 0x02 and data:
            data = cbc(self.s_enc, ecb(self.s_enc, self.counter.to_bytes(16, "big")), pad(data))
        return secured.hex(), self.append_mac(secured, data).hex()

    def response(self, data, status):
        if not (status == 0x9000 or status >> 8 in (0x62, 0x63)) or not self.level & 0x10:
            return data.hex()
        if self.level & 0x20 and data:
            block = b"\x80" + self.counter.to_bytes(15, "big")
            data = cbc(self.s_enc, ecb(self.s_enc, block), pad(data))
        mac = cmac(self.s_rmac, self.chaining, data, status.to_bytes(2, "big"))
        return (data + mac[: self.mac_bytes]).hex()


EXCHANGES = [
    # header, data bytes, Ne, wrapped Ne, answer bytes, status word
    ("80300000", 0, 256, 256, 72, 0x9000),
    ("80320000", 0, None, None, 0, 0x9000),
    ("80280100", 15, 256, 256, 0, 0x9000),
    ("80280100", 16, 256, 256, 1, 0x9000),
    ("80280100", 17, None, None, 0, 0x9000),
    ("80340000", 0, 256, 256, 0, 0x6A80),
    ("80340000", 223, 256, 256, 15, 0x6310),
    ("80340000", 240, 256, 65536, 16, 0x6282),
    ("81340000", 1999, 256, 65536, 240, 0x9000),
    ("03340a0b", 5, 300, 65536, 4000, 0x9000),
]


def exchange(session, index, header, length, ne, wrapped_ne, answer_length, status):
    data = stable_bytes(f"{session.name} command {index}", length)
    answer = stable_bytes(f"{session.name} answer {index}", answer_length)
    wrapped_header, wrapped_data = session.command(bytes.fromhex(header), data)
    return {
        "command": {"header": header, "data": data.hex(), "ne": ne},
        "wrapped": {"header": wrapped_header, "data": wrapped_data, "ne": wrapped_ne},
        "response": {"data": answer.hex(), "sw": status},
        "wrappedResponse": {"data": session.response(answer, status), "sw": status},
    }


def session_vector(key_bytes, mac_bytes, level, exchanges):
    name = f"AES-{8 * key_bytes} S{mac_bytes} level {level:02x}"
    session = Session(name, key_bytes, mac_bytes, level)
    header, data = session.external_authenticate()
    return {
        "comment": name,
        "tags": ["keytoll"] if (key_bytes, mac_bytes, level) == (32, 16, 0x33) else [],
        "keys": {use: key.hex() for use, key in session.static.items()},
        "keyVersion": 0x30,
        "level": level,
        "macBytes": mac_bytes,
        "hostChallenge": session.host_challenge.hex(),
        "cardChallenge": session.card_challenge.hex(),
        "greeting": session.greeting(0x30).hex(),
        "sessionKeys": {"sEnc": session.s_enc.hex(), "sMac": session.s_mac.hex(),
                        "sRmac": session.s_rmac.hex()},
        "externalAuthenticate": {"header": header, "data": data},
        "exchanges": [exchange(session, index, *values) for index, values in enumerate(exchanges)],
    }


def card_keys(master, serial, version):
    context = bytes([version]) + serial
    uses = {"enc": b"enc", "mac": b"mac", "dek": b"dek", "hostLink": b"host-link"}
    return {name: keytoll_derive(master, b"keytoll card keys 1:" + use, context)
            for name, use in uses.items()}


def diversification_vectors():
    vectors = []
    for index, version in enumerate((1, 1, 2, 127)):
        master = stable_bytes("master key", 32)
        serial = stable_bytes(f"serial {index}", 16)
        keys = card_keys(master, serial, version)
        vectors.append({
            "comment": f"card {index}, key version {version}", "tags": [],
            "masterKey": master.hex(), "cardSerial": serial.hex(), "keyVersion": version,
            "keys": {name: key.hex() for name, key in keys.items()},
        })
    return vectors


def put_key_vector():
    dek = stable_bytes("old dek", 32)
    keys = card_keys(stable_bytes("master key", 32), stable_bytes("serial 0", 16), 2)
    data = b"\x02"
    for name in ("enc", "mac", "dek", "hostLink"):
        check = ecb(keys[name], b"\x01" * 16)[:3]
        data += bytes.fromhex("882120") + cbc(dek, bytes(16), keys[name]) + b"\x03" + check
    return [{"comment": "version 1 replaced by 2", "tags": [], "dek": dek.hex(),
             "currentVersion": 1, "newVersion": 2,
             "keys": {name: key.hex() for name, key in keys.items()},
             "header": "80d80181", "data": data.hex()}]


def traffic_vectors():
    host_link, peer_key = stable_bytes("host link", 32), stable_bytes("peer key", 32)
    names = ("cardChallenge", "stationChallenge", "hostNonce")
    parts = {name: stable_bytes(name, 16) for name in names}
    context = b"".join(parts.values())
    payment = stable_bytes("payment", 32)
    label = b"keytoll host link 1:traffic:"
    host = {"comment": "host link", "tags": [], "hostLink": host_link.hex(),
            **{name: value.hex() for name, value in parts.items()},
            "toStation": keytoll_derive(host_link, label + b"to-station", context).hex(),
            "toHost": keytoll_derive(host_link, label + b"to-host", context).hex()}
    peers = []
    for direction in ("to-payee", "to-payer"):
        for epoch in (1, 2, 0xFFFFFFFF):
            label = f"keytoll peer key 1:traffic:{direction}".encode()
            key = keytoll_derive(peer_key, label, payment + epoch.to_bytes(4, "big"))
            peers.append({"comment": f"{direction}, epoch {epoch}", "tags": [],
                          "peerKey": peer_key.hex(), "direction": direction, "epoch": epoch,
                          "paymentId": payment.hex(), "trafficKey": key.hex()})
    check = keytoll_derive(peer_key, b"keytoll peer key 1:check", payment, 8)
    return [host], peers, [{"comment": "check value", "tags": [], "peerKey": peer_key.hex(),
                            "paymentId": payment.hex(), "check": check.hex()}]


def main():
    modes_made = [(32, 16, 0x33), (32, 16, 0x13), (32, 16, 0x11), (32, 16, 0x03), (32, 16, 0x01),
                  (16, 16, 0x33), (24, 16, 0x33), (32, 8, 0x13), (32, 8, 0x33)]
    sessions = [session_vector(*mode, EXCHANGES) for mode in modes_made]
    host_link, peer, check = traffic_vectors()
    write_vectors(
        "scp03-s16.json",
        "Made by make_scp03.py with python3-cryptography, from GlobalPlatform Amendment D. "
        "Headers are CLA INS P1 P2; data and Ne are apart, so that no APDU codec is presumed.",
        {"sessions": sessions, "diversification": diversification_vectors(),
         "putKey": put_key_vector(), "hostLink": host_link, "peerTraffic": peer,
         "peerCheck": check},
    )


main()
