"""Vectors of a station's log: leaves, roots and consistency proofs (RFC 6962 §2.1)."""

from stable_bytes import stable_bytes, write_vectors
from tlv_writer import Signer, leaf_hash, sha256, tlv, tree_root, uint

LABEL = b"keytoll log leaf 1\0"
STATES = {"delivered": 1, "undelivered": 2, "refused": 3}

# What Certificate Transparency's own tests hash, and the roots that they give for 1 to 8 of them.
PUBLISHED = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
             "606162636465666768696a6b6c6d6e6f"]
PUBLISHED_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def subproof(m, leaves, whole):
    """SUBPROOF of RFC 6962 §2.1.2, as it is written there."""
    n = len(leaves)
    if m == n:
        return [] if whole else [tree_root(leaves)]
    k = 1
    while k * 2 < n:
        k *= 2
    if m <= k:
        return subproof(m, leaves[:k], whole) + [tree_root(leaves[k:])]
    return subproof(m - k, leaves[k:], False) + [tree_root(leaves[:k])]


def proof(comment, first, second, leaves):
    return {"comment": comment, "tags": ["proof"], "first": first, "second": second,
            "firstRoot": tree_root(leaves[:first]).hex(),
            "secondRoot": tree_root(leaves[:second]).hex(),
            "proof": [one.hex() for one in subproof(first, leaves[:second], True)]}


def transfer(kind, debit, credit, amount):
    shown = {"kind": kind, "debit": debit, "credit": credit, "amount": str(amount)}
    content = (tlv(0x80, kind.encode()) + tlv(0x81, debit.encode())
               + tlv(0x82, credit.encode()) + tlv(0x83, uint(amount)))
    return tlv(0xA0, content), shown


def leaf(comment, reference, time_ms, transfers, end=None):
    content = (tlv(0x80, b"q1") + tlv(0x81, reference) + tlv(0x82, uint(time_ms))
               + tlv(0xA3, b"".join(made for made, _ in transfers)))
    shown = {"station": "q1", "reference": reference.hex(), "timeMs": str(time_ms),
             "transfers": [one for _, one in transfers]}
    if end is not None:
        state, payment, word = end
        content += tlv(0xA4, tlv(0x80, bytes([STATES[state]])) + tlv(0x81, payment)
                       + tlv(0x82, word))
        shown["end"] = {"state": state, "payment": payment.hex(), "word": word.hex()}
    return {"comment": comment, "tags": ["leaf"], "leaf": shown, "content": content.hex(),
            "hash": sha256(b"\0", LABEL, content).hex()}


def leaves():
    payment_id = stable_bytes("payment ID", 32)
    payment, receipt = sha256(b"a payment"), sha256(b"a receipt")
    fee = transfer("fee", "pending-payments", "fees-earned", 5)
    payable = transfer("payable", "pending-payments", "payable:q2", 2**63 - 1)
    return [
        leaf("money in", b"slip 1", 1_790_000_000_000,
             [transfer("top-up", "cash", "user:alice@q1", 1000)]),
        leaf("a delivered payment at its issuer", payment_id, 1_790_000_000_001, [fee, payable],
             ("delivered", payment, receipt)),
        leaf("an undelivered payment at a relay", payment_id, 1_790_000_000_002, [],
             ("undelivered", payment, receipt)),
        leaf("a refused payment", payment_id, 0, [], ("refused", payment, receipt)),
    ]


def signed(kind, tag, fields, signer):
    body = tlv(0xA0, tlv(0x80, uint(1)) + tlv(0x81, b"\1") + b"".join(tlv(*one) for one in fields))
    label = f"keytoll {kind} 1\0".encode()
    whole = tlv(tag, body + tlv(0x9E, signer.sign(label + body)))
    return whole, sha256(label, body)


def witnessed():
    q1, q2 = Signer("q1, documents"), Signer("q2, documents")
    root = sha256(b"a root")
    checkpoint, digest = signed("checkpoint", 0xED, [
        (0x82, b"road"), (0x83, b"q1"), (0x84, uint(600)), (0x85, root),
        (0x86, uint(1_790_000_000))], q1)
    cosignature, _ = signed("cosignature", 0xEE, [
        (0x82, b"road"), (0x83, b"q2"), (0x84, b"q1"), (0x85, digest),
        (0x86, uint(1_790_000_001))], q2)
    return {
        "comment": "q1's checkpoint over 600 leaves, cosigned by q2",
        "tags": ["checkpoint"],
        "checkpoint": {"hex": checkpoint.hex(), "digest": digest.hex(), "size": 600,
                       "root": root.hex(), "time": 1_790_000_000, "signer": q1.public.hex()},
        "cosignature": {"hex": cosignature.hex(), "time": 1_790_000_001,
                        "signer": q2.public.hex()},
    }


def main():
    published = [leaf_hash(bytes.fromhex(data)) for data in PUBLISHED]
    for size, root in enumerate(PUBLISHED_ROOTS, 1):
        assert tree_root(published[:size]).hex() == root, size
    many = [leaf_hash(i.to_bytes(4, "big")) for i in range(66_000)]
    sizes = [1, 2, 255, 256, 257, 511, 512, 600, 65_535, 65_536, 65_793]
    pairs = [(1, 600), (2, 3), (255, 256), (255, 257), (256, 257), (256, 512), (257, 600),
             (300, 599), (511, 513), (512, 600), (600, 600), (600, 65_793), (65_536, 65_793)]
    write_vectors("log.json", "A station's log: leaves, roots, consistency proofs. Leaf i of the "
                  "trees is the hash of i in 4 bytes, or of Certificate Transparency's test data.", {
        "leaves": leaves(),
        "witnessed": witnessed(),
        "published": {"data": PUBLISHED, "roots": PUBLISHED_ROOTS},
        "publishedProofs": [proof(f"from {m} to {n} of the published", m, n, published)
                            for n in range(1, 9) for m in range(1, n + 1)],
        "roots": [{"comment": f"over {n}", "tags": ["root"], "size": n,
                   "root": tree_root(many[:n]).hex()} for n in sizes],
        "proofs": [proof(f"from {m} to {n}", m, n, many) for m, n in pairs],
    })


main()
