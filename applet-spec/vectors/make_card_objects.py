"""Vectors of the data fields of card commands and their answers, and spoilt ones."""

from stable_bytes import stable_bytes, write_vectors
from tlv_writer import Signer, sha256, tlv, uint

T0 = 1_790_000_000
CARD, STATION = Signer("alice's card"), Signer("q1, documents")
COIN_ID, OTHER_ID = stable_bytes("coin ID", 16), stable_bytes("other coin ID", 16)
SECRET, ORDER_ID = stable_bytes("coin secret", 32), stable_bytes("order ID", 16)
PAYMENT_ID, DIGEST = sha256(b"payment"), sha256(b"quote")
SIGNATURE = CARD.sign(b"a message")
CERTIFICATE = stable_bytes("alice's certificate", 420)


def text(name, tag, value):
    return (name, tag, value.encode(), value)


def number(name, tag, value):
    return (name, tag, uint(value), {"uint": str(value)})


def small(name, tag, value):
    return (name, tag, uint(value), value)


def octets(name, tag, value):
    return (name, tag, value, {"hex": value.hex()})


def word(name, tag, code, value):
    return (name, tag, bytes([code]), value)


def content(fields):
    return b"".join(tlv(tag, value) for _, tag, value, _ in fields)


def shown(fields):
    return {name: value for name, _, _, value in fields}


def many(name, tag, item_tag, items):
    """A list of structs."""
    return (name, tag, b"".join(tlv(item_tag, content(item)) for item in items),
            [shown(item) for item in items])


def inside(name, tag, fields):
    return (name, tag, content(fields), shown(fields))


def coin_ids(tag, *ids):
    return ("coinIds", tag, b"".join(tlv(0x80, each) for each in ids),
            [{"hex": each.hex()} for each in ids])


def vector(kind, comment, tag, fields):
    return {"comment": comment, "tags": [kind], "kind": kind, "value": shown(fields),
            "hex": tlv(tag, content(fields)).hex()}


def profile_fields():
    return [text("user", 0x80, "alice@q1"), text("homeStation", 0x81, "q1"),
            text("network", 0x82, "demo"), text("currency", 0x83, "EUR"),
            octets("homeStationKey", 0x84, STATION.public), number("paymentLimit", 0x85, 100_000),
            number("dayLimit", 0x86, 1_000_000)]


def slot(state, state_code, check=None, epoch=0, role=("payer", 1)):
    fields = [octets("paymentId", 0x80, PAYMENT_ID), word("role", 0x81, role[1], role[0]),
              word("state", 0x82, state_code, state), text("peer", 0x83, "bob@q3"),
              octets("coinId", 0x84, COIN_ID)]
    if epoch is not None:
        fields.append(number("sendEpoch", 0x85, epoch))
    return fields + ([octets("check", 0x86, check)] if check else [])


def coin_entry(state, code, value=100):
    return [octets("coinId", 0x80, COIN_ID), number("value", 0x81, value),
            number("expiry", 0x82, T0), word("state", 0x83, code, state)]


def loaded(coin_id, value):
    return [octets("coinId", 0x80, coin_id), octets("secret", 0x81, SECRET),
            number("value", 0x82, value), number("expiry", 0x83, T0)]


def information():
    return [small("specVersion", 0x80, 1), word("lifeCycle", 0x81, 3, "enrolled"),
            octets("identifier", 0x82, stable_bytes("handle", 16)), small("pinTries", 0x83, 3),
            small("pukTries", 0x84, 10), small("keyVersion", 0x85, 1), small("coins", 0x86, 300),
            small("coinsCapacity", 0x87, 1_000), small("peerKeys", 0x88, 5),
            small("peerKeysCapacity", 0x89, 64)]


def retirement(operation="refund", code=3, ids=(COIN_ID, OTHER_ID)):
    return [octets("orderId", 0x80, ORDER_ID), word("operation", 0x81, code, operation),
            coin_ids(0xA2, *ids)]


def transaction_element():
    """Of the coin whose ID and secret are here: a card that computes the commitment finds it."""
    commitment = sha256(b"keytoll commitment 1\0", COIN_ID, SECRET)
    return tlv(0xE4, content([
        small("version", 0x80, 1), small("algorithm", 0x81, 1), octets("quoteDigest", 0x82, DIGEST),
        octets("coinId", 0x83, COIN_ID), number("coinValue", 0x84, 100),
        octets("commitment", 0x85, commitment),
        octets("payerCertificate", 0x86, sha256(CERTIFICATE))]))


def objects():
    owner = profile_fields() + [octets("certificate", 0x87, sha256(CERTIFICATE))]
    signature = octets("signature", 0x81, SIGNATURE)
    paid = [octets("coinId", 0x80, COIN_ID), signature]
    transaction = transaction_element()
    journal = slot("provisional", 1, epoch=None) + [
        octets("quoteDigest", 0x85, DIGEST), octets("signature", 0x86, SIGNATURE)]
    host_keys = [octets("toStation", 0x80, stable_bytes("to station", 32)),
                 octets("toHost", 0x81, stable_bytes("to host", 32))]
    pages = [slot("active", 2, stable_bytes("check", 8), 7), slot("burned", 3, None, 0, ("payee", 2))]
    return [
        vector("applicationInfo", "application information", 0x6E, information()),
        vector("profile", "a profile", 0x65, profile_fields()),
        vector("owner", "an owner", 0x66, owner),
        vector("generatedKey", "a key pair and its possession", 0x67,
               [octets("publicKey", 0x80, CARD.public), octets("possession", 0x81, SIGNATURE)]),
        *[vector("authorisation", f"an authorisation to {name}", 0x68,
                 [word("operation", 0x80, code, name), octets("digest", 0x81, DIGEST)])
          for code, name in enumerate(("pay", "exchange", "refund"), 1)],
        vector("retirement", "a refund of two coins", 0x69, retirement()),
        vector("retirement", "an exchange of one", 0x69, retirement("exchange", 2, (COIN_ID,))),
        vector("coinLoad", "two coins", 0x6A,
               [many("coins", 0xA0, 0xA0, [loaded(COIN_ID, 100), loaded(OTHER_ID, 2**64 - 1)])]),
        vector("payAnswer", "an answer of PAY", 0x6B, paid),
        vector("payAnswer", "an answer of PAY with the certificate", 0x6B,
               paid + [octets("certificate", 0x82, CERTIFICATE)]),
        vector("offer", "an offer", 0x6C,
               [text("payer", 0x80, "alice@q1"), octets("transaction", 0xA1, transaction),
                octets("coinSecret", 0x82, SECRET)]),
        vector("offerAnswer", "an answer of OFFER", 0x6D, [octets("signature", 0x80, SIGNATURE)]),
        vector("peerKeyPage", "two slots of five", 0x70,
               [small("total", 0x80, 5), many("entries", 0xA1, 0xA0, pages)]),
        vector("peerKeyPage", "no slots", 0x70,
               [small("total", 0x80, 0), many("entries", 0xA1, 0xA0, [])]),
        vector("coinPage", "three coins of three hundred", 0x71,
               [small("total", 0x80, 300), many("entries", 0xA1, 0xA0, [
                   coin_entry("unspent", 1), coin_entry("signed", 2), coin_entry("retiring", 3, 0)])]),
        vector("journalQuery", "by payment ID", 0x72, [octets("paymentId", 0x80, PAYMENT_ID)]),
        vector("journalQuery", "by quote digest", 0x72, [octets("quoteDigest", 0x81, DIGEST)]),
        vector("journalQuery", "by coin ID", 0x72, [octets("coinId", 0x82, COIN_ID)]),
        vector("journalAnswer", "a payment and its coin", 0x73,
               [inside("payment", 0xA0, journal), inside("coin", 0xA1, coin_entry("signed", 2))]),
        vector("journalAnswer", "nothing", 0x73, []),
        vector("trafficRequest", "to send", 0x74, [octets("paymentId", 0x80, PAYMENT_ID)]),
        vector("trafficRequest", "to receive", 0x74,
               [octets("paymentId", 0x80, PAYMENT_ID), number("epoch", 0x81, 2**32 - 1)]),
        vector("trafficAnswer", "a traffic key", 0x75,
               [number("epoch", 0x80, 8), octets("trafficKey", 0x81, stable_bytes("traffic", 32))]),
        vector("hostLinkAnswer", "host-link keys", 0x76, host_keys),
        vector("coinErasure", "two coins", 0x77, [coin_ids(0xA0, COIN_ID, OTHER_ID)]),
        vector("coinErasure", "expired ones", 0x77,
               [coin_ids(0xA0, COIN_ID), number("time", 0x81, T0)]),
        vector("signatureCheck", "of a transaction", 0x79,
               [octets("transaction", 0xA0, transaction),
                octets("signature", 0x82, stable_bytes("signature", 64))]),
        vector("signatureCheck", "of a payment ID", 0x79,
               [octets("paymentId", 0x81, PAYMENT_ID),
                octets("signature", 0x82, stable_bytes("signature", 64))]),
        vector("signatureCheck", "of a payment ID under a certificate of before", 0x79,
               [octets("paymentId", 0x81, PAYMENT_ID),
                octets("signature", 0x82, stable_bytes("signature", 64)),
                octets("certificate", 0x83, sha256(CERTIFICATE))]),
    ]


def refused():
    def spoilt(kind, comment, code, tag, fields, behind=b""):
        return {"comment": f"{kind}: {comment}", "tags": [kind], "kind": kind, "refusal": code,
                "hex": (tlv(tag, content(fields)) + behind).hex()}

    def without(fields, name):
        return [field for field in fields if field[0] != name]

    def changed(fields, name, value):
        return [(n, t, value if n == name else c, s) for n, t, c, s in fields]

    info, page = information(), coin_entry("unspent", 1)
    too_many = [stable_bytes(f"coin {i}", 16) for i in range(33)]
    return [
        spoilt("applicationInfo", "no life cycle", "unexpected-tag", 0x6E, without(info, "lifeCycle")),
        spoilt("applicationInfo", "a fifth life cycle", "bad-value", 0x6E,
               changed(info, "lifeCycle", b"\5")),
        spoilt("applicationInfo", "four PIN tries", "out-of-bounds", 0x6E,
               changed(info, "pinTries", b"\4")),
        spoilt("applicationInfo", "a handle of 15 bytes", "out-of-bounds", 0x6E,
               changed(info, "identifier", bytes(15))),
        spoilt("profile", "a user that is none", "bad-value", 0x65,
               changed(profile_fields(), "user", b"Alice")),
        spoilt("profile", "a key of 64 bytes", "out-of-bounds", 0x65,
               changed(profile_fields(), "homeStationKey", bytes(64))),
        spoilt("profile", "a limit with a leading zero", "non-minimal-length", 0x65,
               changed(profile_fields(), "dayLimit", b"\0\1")),
        spoilt("authorisation", "a fourth operation", "bad-value", 0x68,
               [word("operation", 0x80, 4, ""), octets("digest", 0x81, DIGEST)]),
        spoilt("authorisation", "a digest of 31 bytes", "out-of-bounds", 0x68,
               [word("operation", 0x80, 1, ""), octets("digest", 0x81, DIGEST[1:])]),
        spoilt("authorisation", "a byte behind it", "trailing-bytes", 0x68,
               [word("operation", 0x80, 1, ""), octets("digest", 0x81, DIGEST)], b"\0"),
        spoilt("retirement", "to pay", "bad-value", 0x69, retirement("pay", 1)),
        spoilt("retirement", "of no coin", "out-of-bounds", 0x69, retirement(ids=())),
        spoilt("retirement", "of 33 coins", "out-of-bounds", 0x69, retirement(ids=too_many)),
        spoilt("coinLoad", "of no coin", "out-of-bounds", 0x6A, [many("coins", 0xA0, 0xA0, [])]),
        spoilt("coinLoad", "a value of nine bytes", "out-of-bounds", 0x6A,
               [many("coins", 0xA0, 0xA0, [loaded(COIN_ID, 2**64)])]),
        spoilt("offer", "no coin secret", "truncated", 0x6C,
               [text("payer", 0x80, "alice@q1"), octets("transaction", 0xA1, b"\xe4\0")]),
        spoilt("coinPage", "a fourth state", "bad-value", 0x71,
               [small("total", 0x80, 1), many("entries", 0xA1, 0xA0, [changed(page, "state", b"\4")])]),
        spoilt("coinPage", "1,001 coins", "out-of-bounds", 0x71,
               [small("total", 0x80, 1_001), many("entries", 0xA1, 0xA0, [])]),
        spoilt("journalQuery", "in another order", "trailing-bytes", 0x72,
               [octets("coinId", 0x82, COIN_ID), octets("paymentId", 0x80, PAYMENT_ID)]),
        spoilt("trafficRequest", "an epoch of five bytes", "out-of-bounds", 0x74,
               [octets("paymentId", 0x80, PAYMENT_ID), number("epoch", 0x81, 2**32)]),
        spoilt("coinErasure", "of 33 coins", "out-of-bounds", 0x77, [coin_ids(0xA0, *too_many)]),
    ]


def main():
    write_vectors(
        "card-objects.json",
        "Made by make_card_objects.py: TLV and RFC 6979 of its own.",
        {"objects": objects(), "refused": refused()},
    )


main()
