"""Vectors of the objects of the toll: each made with fixed keys and contents, and spoilt in many ways."""

from spoilt_objects import spoilt
from stable_bytes import stable_bytes, write_vectors
from tlv_writer import Signer, audit_path, high_s, leaf_hash, sha256, tlv, tree_root, uint

T0 = 1_790_000_000
CARD_A, CARD_B = Signer("alice's card"), Signer("bob's card")
Q1_COINS, Q1, Q3 = Signer("q1, coins"), Signer("q1, documents"), Signer("q3, documents")
HEAD = [("version", 0x80, uint(1), 1), ("algorithm", 0x81, b"\1", "ecdsa-p256-sha256")]


def label(kind):
    return f"keytoll {kind} 1\0".encode()


def text(value):
    return value.encode()


class Body:
    """Fields in order: name, tag, content, and the value as the vectors show it."""

    def __init__(self, fields, tag=0xA0):
        self.fields = fields
        self.tag = tag

    @property
    def content(self):
        return b"".join(tlv(tag, content) for _, tag, content, _ in self.fields)

    @property
    def bytes(self):
        return tlv(self.tag, self.content)

    @property
    def shown(self):
        return {name: value for name, _, _, value in self.fields}


def words(name, tag, value):
    return (name, tag, text(value), value)


def number(name, tag, value):
    return (name, tag, uint(value), {"uint": str(value)})


def octets(name, tag, value):
    return (name, tag, value, {"hex": value.hex()})


def code(name, tag, value, word):
    return (name, tag, bytes([value]), word)


def signed(kind, tag, body, signer):
    signature = signer.sign(label(kind) + body.bytes)
    return tlv(tag, body.bytes + tlv(0x9E, signature)), signature


def statements(kind, tag, bodies, signer):
    leaves = [leaf_hash(label(kind) + body.bytes) for body in bodies]
    message = label("batch") + len(bodies).to_bytes(4, "big") + tree_root(leaves)
    signature = signer.sign(message)
    made = []
    for index, body in enumerate(bodies):
        path = b"".join(tlv(0x80, sibling) for sibling in audit_path(index, leaves))
        proof = (tlv(0x80, uint(index)) + tlv(0x81, uint(len(bodies))) + tlv(0xA2, path)
                 + tlv(0x9E, signature))
        made.append(tlv(tag, body.bytes + tlv(0xA1, proof)))
    return made


COIN_ID = stable_bytes("coin ID", 16)
COIN_SECRET = stable_bytes("coin secret", 32)
COMMITMENT = sha256(label("commitment"), COIN_ID, COIN_SECRET)
CERTIFICATE_A = stable_bytes("alice's certificate", 420)
CERTIFICATE_B = stable_bytes("bob's certificate", 421)
ACCEPTANCE_ID = stable_bytes("acceptance ID", 16)
BILL = [("q1", 120), ("q2", 0), ("q3", 65_416)]
TOTAL = sum(fee for _, fee in BILL)


def coin_body():
    return Body(HEAD + [
        words("network", 0x82, "demo"), octets("coinId", 0x83, COIN_ID),
        words("issuer", 0x84, "q1"), number("value", 0x85, TOTAL), words("currency", 0x86, "EUR"),
        octets("commitment", 0x87, COMMITMENT), number("expiry", 0x88, T0 + 31_536_000)])


def acceptance_body():
    return Body(HEAD + [
        words("network", 0x82, "demo"), octets("acceptanceId", 0x83, ACCEPTANCE_ID),
        words("payer", 0x84, "alice@q1"), words("payee", 0x85, "bob@q3"),
        words("payeeStation", 0x86, "q3"), octets("payeeCertificate", 0x87, sha256(CERTIFICATE_B)),
        number("time", 0x88, T0), number("expiry", 0x89, T0 + 120)])


def bill_line(station, fee):
    return Body([words("station", 0x80, station), number("fee", 0x81, fee),
                 octets("announcement", 0x82, stable_bytes(f"announcement of {station}", 16))])


def quote_body(bill=None):
    lines = bill or [bill_line(station, fee) for station, fee in BILL]
    joined = b"".join(line.bytes for line in lines)
    return Body(HEAD + [
        words("network", 0x82, "demo"), octets("quoteId", 0x83, stable_bytes("quote ID", 16)),
        words("payer", 0x84, "alice@q1"), words("payee", 0x85, "bob@q3"),
        words("currency", 0x86, "EUR"), ("bill", 0xA7, joined, [line.shown for line in lines]),
        number("time", 0x88, T0 + 1), number("expiry", 0x89, T0 + 121),
        number("deliveryDeadline", 0x8A, T0 + 301),
        number("resolutionDeadline", 0x8B, T0 + 86_401),
        code("minimumSuite", 0x8C, 2, "otp-secret"), octets("acceptanceId", 0x8D, ACCEPTANCE_ID),
        octets("payeeCertificate", 0x8E, sha256(CERTIFICATE_B)),
        octets("payeeStationKey", 0x8F, Q3.public)])


def transaction_body(quote_digest):
    return Body(HEAD + [
        octets("quoteDigest", 0x82, quote_digest), octets("coinId", 0x83, COIN_ID),
        number("coinValue", 0x84, TOTAL), octets("commitment", 0x85, COMMITMENT),
        octets("payerCertificate", 0x86, sha256(CERTIFICATE_A))], tag=0xE4)


def payment_bytes(transaction, signature, quote, coin, certificate=None):
    apart = b"" if certificate is None else tlv(0x84, certificate)
    return tlv(0xE5, tlv(0xA0, transaction) + tlv(0x81, signature) + tlv(0xA2, quote) + coin + apart)


def about(payment_id, *fields):
    return Body(HEAD + [octets("paymentId", 0x82, payment_id), *fields])


def admissions(payment_id):
    ids = [stable_bytes("first payment", 32), payment_id, stable_bytes("third payment", 32)]
    bodies = [about(each, words("issuer", 0x83, "q1"), number("time", 0x84, T0 + 2 + i))
              for i, each in enumerate(ids)]
    return bodies, statements("admission", 0xE6, bodies, Q1)


def receipts(payment_id, acknowledgement):
    head = [words("station", 0x83, "q3")]
    delivered = about(payment_id, *head, code("verdict", 0x84, 1, "delivered"),
                      number("time", 0x85, T0 + 4), octets("acknowledgement", 0x87, acknowledgement))
    other = about(stable_bytes("first payment", 32), *head, code("verdict", 0x84, 2, "undelivered"),
                  number("time", 0x85, T0 + 302), code("reason", 0x86, 1, "deadline-passed"))
    return [(body, statements("receipt", 0xE8, [body], Q3)[0]) for body in (delivered, other)]


def vector(kind, comment, hexed, body, signer=None, **more):
    return {"comment": comment, "tags": [kind], "kind": kind, "body": body.shown,
            "bodyHex": body.bytes.hex(), **({"signer": signer.name} if signer else {}),
            "hex": hexed.hex(), **more}


def main():
    coin, _ = signed("coin", 0xE1, coin_body(), Q1_COINS)
    acceptance, _ = signed("acceptance", 0xE2, acceptance_body(), Q3)
    quote, _ = signed("quote", 0xE3, quote_body(), Q1)
    quote_digest = sha256(label("quote"), quote_body().bytes)
    transaction = transaction_body(quote_digest)
    payment_id = sha256(label("transaction"), transaction.bytes)
    signature = CARD_A.sign(label("transaction") + transaction.bytes)
    parts = (transaction.bytes, signature, quote_body().bytes, coin)
    payment, kept = payment_bytes(*parts, CERTIFICATE_A), payment_bytes(*parts)
    admission_bodies, admitted = admissions(payment_id)
    acknowledgement_body = about(payment_id, octets("payeeCertificate", 0x83, sha256(CERTIFICATE_B)))
    acknowledgement, acknowledged = signed("acknowledgement", 0xE7, acknowledgement_body, CARD_B)
    (delivered_body, delivered), (undelivered_body, undelivered) = receipts(payment_id, acknowledged)
    refusal_body = about(payment_id, words("station", 0x83, "q1"),
                         code("reason", 0x84, 15, "quote-expired"), number("time", 0x85, T0 + 130))
    refusal, _ = signed("refusal", 0xEA, refusal_body, Q1)
    newer_body = about(payment_id, words("station", 0x83, "q1"),
                       code("reason", 0x84, 200, "code-200"), number("time", 0x85, T0 + 130))
    newer, _ = signed("refusal", 0xEA, newer_body, Q1)
    objects = [
        vector("coin", "a coin of 655.36 EUR", coin, coin_body(), Q1_COINS),
        vector("acceptance", "an acceptance by q3", acceptance, acceptance_body(), Q3),
        vector("quote", "a quote over three stations, one of them free", quote, quote_body(), Q1),
        vector("admission", "the first of three admissions", admitted[0], admission_bodies[0], Q1),
        vector("admission", "the second, of our payment", admitted[1], admission_bodies[1], Q1),
        vector("admission", "the third", admitted[2], admission_bodies[2], Q1),
        vector("acknowledgement", "an acknowledgement by bob's card", acknowledgement,
               acknowledgement_body, CARD_B),
        vector("receipt", "a receipt: delivered", delivered, delivered_body, Q3),
        vector("receipt", "a receipt: undelivered", undelivered, undelivered_body, Q3),
        vector("refusal", "a refusal by q1", refusal, refusal_body, Q1),
        vector("refusal", "a refusal for a reason of a newer program", newer, newer_body, Q1),
    ]
    payments = [{
        "comment": comment, "tags": ["payment"], "hex": made.hex(),
        "transaction": transaction.shown, "transactionHex": transaction.bytes.hex(),
        "payerSignature": signature.hex(), "signer": CARD_A.name, "quoteHex": quote_body().bytes.hex(),
        "coinHex": coin.hex(), "certificate": held, "coinSecret": COIN_SECRET.hex(),
        "commitment": COMMITMENT.hex(), "quoteDigest": quote_digest.hex(),
        "paymentId": payment_id.hex(), "total": str(TOTAL),
    } for comment, made, held in [
        ("a payment, as it travels", payment, CERTIFICATE_A.hex()),
        ("the same, as it is kept", kept, None)]]
    # What only a reader of the second payer's signature sees: the other half of s.
    high = [{"comment": f"a {kind} whose signature has a high s", "tags": [kind], "kind": kind,
             "signer": signer.name, "hex": tlv(tag, body.bytes + tlv(
                 0x9E, high_s(signer.sign(label(kind) + body.bytes)))).hex()}
            for kind, tag, body, signer in [("coin", 0xE1, coin_body(), Q1_COINS),
                                            ("refusal", 0xEA, refusal_body, Q1)]]
    trees = [{"comment": f"a tree of {size} leaves", "tags": ["tree"],
              "leaves": [leaf.hex() for leaf in leaves], "root": tree_root(leaves).hex(),
              "paths": [[each.hex() for each in audit_path(m, leaves)] for m in range(size)]}
             for size in (1, 2, 3, 5, 7, 8, 13)
             for leaves in [[leaf_hash(f"leaf {i}".encode()) for i in range(size)]]]
    makers = {"coin": lambda body: signed("coin", 0xE1, body, Q1_COINS)[0],
              "quote": lambda body: signed("quote", 0xE3, body, Q1)[0],
              "refusal": lambda body: signed("refusal", 0xEA, body, Q1)[0],
              "receipt": lambda body: statements("receipt", 0xE8, [body], Q3)[0]}
    bodies = {"coin": coin_body(), "quote": quote_body(), "refusal": refusal_body,
              "delivered": delivered_body, "undelivered": undelivered_body}
    whole = {"coin": coin, "payment": payment, "admission": admitted[1], "parts": parts,
             "certificate": CERTIFICATE_A, "lines": [bill_line(*line) for line in BILL]}
    tools = {"quote_body": quote_body, "bill_line": bill_line, "payment_bytes": payment_bytes}
    write_vectors(
        "objects.json",
        "Made by make_objects.py: TLV, RFC 6979 and RFC 6962 of its own, P-256 of python3-cryptography.",
        {"signers": [{"comment": each.name, "tags": ["signer"],
                      "privateKey": each.scalar.to_bytes(32, "big").hex(),
                      "publicKey": each.public.hex()}
                     for each in (CARD_A, CARD_B, Q1_COINS, Q1, Q3)],
         "objects": objects, "payments": payments, "highS": high, "trees": trees,
         "refused": spoilt(bodies, whole, makers, tools)},
    )


main()
