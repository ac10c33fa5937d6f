"""Vectors of the encoding itself: one element 0x80 or 0xA0 of a named shape, good and bad.

Shapes: uint (8 bytes), small (3 to 200), text (16 bytes), octets (2 to 300), word (aes 1, otp 3),
empty, list (1 to 3 of uint under 0x81), record (first 0x80 uint, middle 0x81 text or absent, last 0x82 uint).
"""

from stable_bytes import stable_bytes, write_vectors
from tlv_writer import length_of, tlv, uint


def accepted(shape, value, content, tag=0x80):
    made = tlv(tag, content)
    shown = value if len(str(value)) < 40 else str(value)[:30] + "…"
    return {"comment": f"{shape}: {shown}", "tags": ["accepted"], "shape": shape,
            "value": value, "hex": made.hex()}


def refused(shape, comment, made, code, path="value"):
    return {"comment": f"{shape}: {comment}", "tags": ["refused"], "shape": shape,
            "hex": made.hex(), "refusal": code, "path": path}


def numbers(values):
    return b"".join(tlv(0x81, uint(value)) for value in values)


def record(first, middle, last):
    return (tlv(0x80, uint(first)) + (b"" if middle is None else tlv(0x81, middle.encode()))
            + tlv(0x82, uint(last)))


def good():
    sizes = [2, 127, 128, 255, 256, 300]
    words = ["a", "Zürich", "鍵", "\U0001f511", " ", "\ufeffa", "sixteen bytes ok"]
    counts = [0, 1, 127, 128, 255, 256, 2**32 - 1, 2**32, 2**47, 2**48 - 1, 2**48, 2**53 + 1,
              2**56, 2**64 - 1]
    records = [(1, None, 2), (1, "x", 2), (256, "both", 0)]
    return (
        [accepted("uint", str(value), uint(value)) for value in counts]
        + [accepted("small", value, uint(value)) for value in (3, 200)]
        + [accepted("text", value, value.encode()) for value in words]
        + [accepted("octets", stable_bytes(f"{size} octets", size).hex(),
                    stable_bytes(f"{size} octets", size)) for size in sizes]
        + [accepted("word", word, bytes([code])) for word, code in (("aes", 1), ("otp", 3))]
        + [accepted("empty", {}, b"")]
        + [accepted("list", [str(value) for value in values], numbers(values), 0xA0)
           for values in ([5], [1, 1], [0, 256, 2**64 - 1])]
        + [accepted("record", {"first": str(first), **({"middle": middle} if middle else {}),
                               "last": str(last)}, record(first, middle, last), 0xA0)
           for first, middle, last in records])


def bad():
    return [
        refused("uint", "nothing", b"", "truncated"),
        refused("uint", "a tag", b"\x80", "truncated"),
        refused("uint", "content missing", b"\x80\x02\x01", "truncated"),
        refused("uint", "half a length", b"\x80\x82\x01", "truncated"),
        refused("uint", "half a tag", b"\x9f", "truncated"),
        refused("uint", "no content", b"\x80\0", "out-of-bounds"),
        refused("uint", "nine bytes", tlv(0x80, b"\1" * 9), "out-of-bounds"),
        refused("uint", "a leading zero", tlv(0x80, b"\0\1"), "non-minimal-length"),
        refused("uint", "two zeros", tlv(0x80, b"\0\0"), "non-minimal-length"),
        refused("uint", "long form of 1", b"\x80\x81\x01\x05", "non-minimal-length"),
        refused("uint", "long form of 127", b"\x80\x81\x7f" + bytes(127), "non-minimal-length"),
        refused("octets", "two bytes for 255", b"\x80\x82\x00\xff" + bytes(255),
                "non-minimal-length"),
        refused("octets", "three bytes for 300", b"\x80\x83\x00\x01\x2c" + bytes(300),
                "non-minimal-length"),
        refused("octets", "a length of 2^32 - 1", b"\x80\x84\xff\xff\xff\xff", "out-of-bounds"),
        refused("octets", "a length of 2^24 - 1, and no more", b"\x80\x83\xff\xff\xff",
                "truncated"),
        refused("octets", "length FF", b"\x80\xff", "out-of-bounds"),
        refused("octets", "indefinite", b"\x80\x80\x01\x02\0\0", "non-minimal-length"),
        refused("octets", "one byte", tlv(0x80, b"\1"), "out-of-bounds"),
        refused("octets", "301 bytes", tlv(0x80, bytes(301)), "out-of-bounds"),
        refused("octets", "the constructed tag", tlv(0xA0, bytes(2)), "unexpected-tag"),
        refused("octets", "zeros in front", b"\0\0" + tlv(0x80, bytes(2)), "unexpected-tag"),
        refused("octets", "zeros behind", tlv(0x80, bytes(2)) + b"\0\0", "trailing-bytes"),
        refused("small", "two", tlv(0x80, b"\2"), "out-of-bounds"),
        refused("small", "201", tlv(0x80, b"\xc9"), "out-of-bounds"),
        refused("small", "five bytes", tlv(0x80, b"\1\0\0\0\0"), "out-of-bounds"),
        refused("text", "empty", tlv(0x80, b""), "out-of-bounds"),
        refused("text", "seventeen bytes", tlv(0x80, b"a" * 17), "out-of-bounds"),
        refused("text", "nine letters of two bytes", tlv(0x80, "ü".encode() * 9),
                "out-of-bounds"),
        refused("text", "NUL", tlv(0x80, b"a\0"), "bad-value"),
        refused("text", "a tab", tlv(0x80, b"a\tb"), "bad-value"),
        refused("text", "escape", tlv(0x80, b"\x1b[2J"), "bad-value"),
        refused("text", "C1", tlv(0x80, b"\xc2\x9b2J"), "bad-value"),
        refused("text", "Latin-1", tlv(0x80, b"Z\xfcrich"), "bad-value"),
        refused("text", "overlong slash", tlv(0x80, b"\xc0\xaf"), "bad-value"),
        refused("text", "half a letter", tlv(0x80, b"a\xc3"), "bad-value"),
        refused("text", "a surrogate pair as CESU-8", tlv(0x80, b"\xed\xa0\xbd\xed\xb4\x91"),
                "bad-value"),
        refused("text", "beyond U+10FFFF", tlv(0x80, b"\xf4\x90\x80\x80"), "bad-value"),
        refused("word", "code 0", tlv(0x80, b"\0"), "bad-value"),
        refused("word", "code 2", tlv(0x80, b"\2"), "bad-value"),
        refused("word", "no code", tlv(0x80, b""), "out-of-bounds"),
        refused("word", "two codes", tlv(0x80, b"\1\3"), "out-of-bounds"),
        refused("empty", "something", tlv(0x80, b"\0"), "trailing-bytes"),
        refused("list", "none", tlv(0xA0, b""), "out-of-bounds"),
        refused("list", "four", tlv(0xA0, numbers([1, 2, 3, 4])), "out-of-bounds"),
        refused("list", "another tag", tlv(0xA0, numbers([1]) + tlv(0x82, b"\1")),
                "unexpected-tag", "value[1]"),
        refused("list", "a number too wide", tlv(0xA0, numbers([1, 2]) + tlv(0x81, b"\1" * 9)),
                "out-of-bounds", "value[2]"),
        refused("list", "cut inside", tlv(0xA0, numbers([1]) + b"\x81\x02\1"), "truncated",
                "value[1]"),
        refused("record", "no fields", tlv(0xA0, b""), "truncated", "value.first"),
        refused("record", "no last", tlv(0xA0, record(1, "x", 2)[:6]), "truncated", "value.last"),
        refused("record", "no first", tlv(0xA0, record(1, "x", 2)[3:]), "unexpected-tag",
                "value.first"),
        refused("record", "another order", tlv(0xA0, tlv(0x81, b"x") + record(1, None, 2)),
                "unexpected-tag", "value.first"),
        refused("record", "a field twice", tlv(0xA0, tlv(0x80, b"\1") + record(1, None, 2)),
                "unexpected-tag", "value.last"),
        refused("record", "an unknown field", tlv(0xA0, record(1, None, 2) + tlv(0x83, b"")),
                "trailing-bytes", "value"),
        refused("record", "a field of bad content", tlv(0xA0, tlv(0x80, b"\0\1")
                                                       + tlv(0x82, b"\1")),
                "non-minimal-length", "value.first"),
    ]


def main():
    assert length_of(0x7F) == b"\x7f" and length_of(0x80) == b"\x81\x80"
    write_vectors("tlv.json", "Made by make_tlv.py with a TLV writer of its own.",
                  {"accepted": good(), "refused": bad()})


main()
