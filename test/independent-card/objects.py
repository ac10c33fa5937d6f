"""The objects that a card reads (card.md, Objects; objects.md)."""

from dataclasses import dataclass

from primitives import is_point, labelled, sha256, verifies
from tlv import CURRENCY, Fields, Malformed, element, number

PAY, EXCHANGE, REFUND = 1, 2, 3


def reader(tag: int):
    """Makes a reader of a whole object of the reader of its fields."""

    def wrap(read):
        def whole(data: bytes):
            outer = Fields(data)
            fields = outer.fields(tag)
            outer.end()
            value = read(fields)
            fields.end()
            return value

        return whole

    return wrap


def signed_header(fields: Fields):
    if fields.number(0x80, 8) != 1 or fields.word(0x81, {1}) != 1:
        raise Malformed("bad-value")


def point(fields: Fields, tag: int) -> bytes:
    key = fields.octets(tag, 65)
    if not is_point(key):
        raise Malformed("bad-value")
    return key


@dataclass
class Profile:
    user: str
    station: str
    network: str
    currency: str
    station_key: bytes
    payment_limit: int
    day_limit: int

    @property
    def owner(self) -> tuple:
        """What an enrolled card keeps for good."""
        return self.user, self.station, self.network, self.currency


@reader(0x65)
def read_profile(f: Fields) -> Profile:
    return Profile(
        f.user(0x80),
        f.station(0x81),
        f.text(0x82, 32),
        f.text(0x83, 3, CURRENCY, 3),
        point(f, 0x84),
        f.number(0x85, 8),
        f.number(0x86, 8),
    )


def profile_fields(p: Profile) -> bytes:
    return (
        element(0x80, p.user.encode())
        + element(0x81, p.station.encode())
        + element(0x82, p.network.encode())
        + element(0x83, p.currency.encode())
        + element(0x84, p.station_key)
        + number(0x85, p.payment_limit)
        + number(0x86, p.day_limit)
    )


@reader(0x68)
def read_authorisation(f: Fields):
    return f.word(0x80, {PAY, EXCHANGE, REFUND}), f.octets(0x81, 32)


@reader(0x69)
def read_retirement(f: Fields):
    order, operation = f.octets(0x80, 16), f.word(0x81, {EXCHANGE, REFUND})
    coins = f.items(0xA2, 1, 32, lambda item: item.octets(0x80, 16))
    if len(set(coins)) != len(coins):
        raise Malformed("bad-value")
    return order, operation, coins


@reader(0x6A)
def read_coins(f: Fields):
    def coin(item: Fields):
        c = item.fields(0xA0)
        value = c.octets(0x80, 16), c.octets(0x81, 32), c.number(0x82, 8), c.number(0x83, 8)
        c.end()
        return value

    return f.items(0xA0, 1, 32, coin)


@dataclass
class Transaction:
    element: bytes
    quote_digest: bytes
    coin_id: bytes
    value: int
    commitment: bytes
    payer_certificate: bytes

    @property
    def message(self) -> bytes:
        return labelled("transaction", self.element)

    @property
    def payment_id(self) -> bytes:
        return sha256(self.message)


def read_transaction(data: bytes) -> Transaction:
    @reader(0xE4)
    def read(f: Fields):
        signed_header(f)
        digest, coin, value = f.octets(0x82, 32), f.octets(0x83, 16), f.number(0x84, 8)
        return Transaction(data, digest, coin, value, f.octets(0x85, 32), f.octets(0x86, 32))

    return read(data)


def write_transaction(digest, coin_id, value, commitment, certificate_hash) -> bytes:
    return element(
        0xE4,
        number(0x80, 1),
        number(0x81, 1),
        element(0x82, digest),
        element(0x83, coin_id),
        number(0x84, value),
        element(0x85, commitment),
        element(0x86, certificate_hash),
    )


def commitment(coin_id: bytes, secret: bytes) -> bytes:
    return sha256(labelled("commitment", coin_id, secret))


@dataclass
class Offer:
    payer: str
    transaction: Transaction
    secret: bytes


@reader(0x6C)
def read_offer(f: Fields) -> Offer:
    return Offer(f.user(0x80), read_transaction(f.octets(0xA1, 0, 512)), f.octets(0x82, 32))


@dataclass
class Quote:
    digest: bytes
    network: str
    payer: str
    payee: str
    currency: str
    stations: list
    total: int
    time: int
    expiry: int
    payee_station_key: bytes


def read_quote(data: bytes) -> Quote:
    def line(item: Fields):
        bill = item.fields(0xA0)
        value = bill.station(0x80), bill.number(0x81, 8), bill.octets(0x82, 16)
        bill.end()
        return value

    @reader(0xA0)
    def read(f: Fields):
        signed_header(f)
        network = f.text(0x82, 32)
        f.octets(0x83, 16)
        payer, payee, currency = f.user(0x84), f.user(0x85), f.text(0x86, 3, CURRENCY, 3)
        bill = f.items(0xA7, 2, 16, line)
        times = [f.number(tag, 8) for tag in (0x88, 0x89, 0x8A, 0x8B)]
        f.word(0x8C, {1, 2, 3})
        f.octets(0x8D, 16)
        f.octets(0x8E, 32)
        key = point(f, 0x8F)
        stations = [name for name, _, _ in bill]
        total = sum(fee for _, fee, _ in bill)
        digest = sha256(labelled("quote", data))
        return Quote(
            digest, network, payer, payee, currency, stations, total, times[0], times[1], key
        )

    return read(data)


@dataclass
class Verdict:
    payment_id: bytes
    station: str
    delivered: bool
    time: int
    acknowledgement: bytes | None
    is_refusal: bool
    signature: bytes
    message: bytes

    def is_signed_by(self, key: bytes) -> bool:
        return verifies(key, self.signature, self.message)


def read_refusal(data: bytes) -> Verdict:
    @reader(0xEA)
    def read(f: Fields):
        body, signature = f.raw(0xA0), f.octets(0x9E, 64)
        payment, station, time = refusal_body(body)
        message = labelled("refusal", body)
        return Verdict(payment, station, False, time, None, True, signature, message)

    return read(data)


@reader(0xA0)
def refusal_body(f: Fields):
    signed_header(f)
    payment, station = f.octets(0x82, 32), f.station(0x83)
    f.word(0x84, range(1, 256))
    return payment, station, f.number(0x85, 8)


@reader(0xA0)
def receipt_body(f: Fields):
    signed_header(f)
    payment, station, verdict = f.octets(0x82, 32), f.station(0x83), f.word(0x84, {1, 2})
    time = f.number(0x85, 8)
    if verdict == 2:
        f.word(0x86, range(1, 256))
        return payment, station, False, time, None
    return payment, station, True, time, f.octets(0x87, 64)


def path_root(leaf: bytes, index: int, size: int, path: list) -> bytes | None:
    """RFC 9162 §2.1.3.2."""
    fn, sn, root = index, size - 1, leaf
    for node in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            root = sha256(b"\1", node, root)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = sha256(b"\1", root, node)
        fn, sn = fn >> 1, sn >> 1
    return root if sn == 0 else None


def read_receipt(data: bytes) -> Verdict:
    @reader(0xE8)
    def read(f: Fields):
        body, proof = f.raw(0xA0), f.fields(0xA1)
        index, size = proof.number(0x80, 1, 0, 63), proof.number(0x81, 1, 1, 64)
        path = proof.items(0xA2, 0, 6, lambda item: item.octets(0x80, 32))
        signature = proof.octets(0x9E, 64)
        proof.end()
        leaf = sha256(b"\0", labelled("receipt", body))
        root = path_root(leaf, index, size, path) if index < size else None
        if root is None:
            raise Malformed("bad-value")
        message = labelled("batch", size.to_bytes(4, "big"), root)
        return Verdict(*receipt_body(body), False, signature, message)

    return read(data)


@reader(0x72)
def read_query(f: Fields):
    sizes = {0x80: 32, 0x81: 32, 0x82: 16}
    asked = [f.octets(tag, size) if f.peek() == tag else None for tag, size in sizes.items()]
    if sum(a is not None for a in asked) != 1:
        raise Malformed("bad-value")
    return asked


@reader(0x74)
def read_traffic_request(f: Fields):
    payment = f.octets(0x80, 32)
    return payment, f.number(0x81, 4) if f.peek() == 0x81 else None


@reader(0x77)
def read_erasure(f: Fields):
    coins = f.items(0xA0, 1, 32, lambda item: item.octets(0x80, 16))
    return coins, f.number(0x81, 8) if f.peek() == 0x81 else None


@reader(0x79)
def read_signature_check(f: Fields):
    transaction = read_transaction(f.octets(0xA0, 0, 512)) if f.peek() == 0xA0 else None
    payment = f.octets(0x81, 32) if f.peek() == 0x81 else None
    signature = f.octets(0x82, 64)
    certificate = f.octets(0x83, 32) if f.peek() == 0x83 else None
    if (transaction is None) == (payment is None) or (certificate and transaction):
        raise Malformed("bad-value")
    return transaction, payment, signature, certificate


def acknowledgement(payment_id: bytes, certificate_hash: bytes) -> bytes:
    """What a payee's card signs."""
    body = number(0x80, 1) + number(0x81, 1)
    body += element(0x82, payment_id) + element(0x83, certificate_hash)
    return labelled("acknowledgement", element(0xA0, body))
