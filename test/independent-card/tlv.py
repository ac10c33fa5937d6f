"""BER-TLV in its DER form (encoding.md): what a writer does not write is refused."""

import re
import unicodedata

LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
STATION = re.compile(rf"{LABEL}(?:\.{LABEL})*")
USER = re.compile(rf"[a-z0-9](?:[a-z0-9._+-]*[a-z0-9])?@({LABEL}(?:\.{LABEL})*)")
CURRENCY = re.compile(r"[A-Z]{3}")


class Malformed(Exception):
    """Bytes that no writer of the specification writes: 6A80."""


def element(tag: int, *content: bytes) -> bytes:
    """One element: tag, shortest length, the parts joined."""
    value = b"".join(content)
    size = len(value)
    if size < 0x80:
        length = bytes([size])
    else:
        digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
        length = bytes([0x80 + len(digits)]) + digits
    return bytes([tag]) + length + value


def number(tag: int, value: int) -> bytes:
    """An unsigned number without leading zeros."""
    return element(tag, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))


class Fields:
    """Reads the fields of one element in their order; `end` refuses what is left."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    def peek(self) -> int | None:
        """The next element's tag; optional fields are told by it."""
        return self.data[self.at] if self.at < len(self.data) else None

    def _byte(self) -> int:
        if self.at >= len(self.data):
            raise Malformed("truncated")
        self.at += 1
        return self.data[self.at - 1]

    def raw(self, tag: int) -> bytes:
        """The whole element of this tag, tag and length included."""
        start = self.at
        self.octets(tag, 0, 1 << 24)
        return self.data[start : self.at]

    def octets(self, tag: int, least: int, most: int | None = None) -> bytes:
        if self._byte() != tag:
            raise Malformed("unexpected-tag")
        size = self._byte()
        if size == 0x80 or size > 0x83:
            raise Malformed("non-minimal-length")
        if size > 0x80:
            count = size - 0x80
            if self.at + count > len(self.data):
                raise Malformed("truncated")
            size = int.from_bytes(self.data[self.at : self.at + count], "big")
            self.at += count
            if size < (0x80 if count == 1 else 1 << (8 * (count - 1))):
                raise Malformed("non-minimal-length")
        if not least <= size <= (least if most is None else most):
            raise Malformed("out-of-bounds")
        if self.at + size > len(self.data):
            raise Malformed("truncated")
        self.at += size
        return self.data[self.at - size : self.at]

    def fields(self, tag: int) -> "Fields":
        return Fields(self.octets(tag, 0, 1 << 24))

    def number(self, tag: int, size: int, least: int = 0, most: int | None = None) -> int:
        content = self.octets(tag, 1, size)
        if len(content) > 1 and content[0] == 0:
            raise Malformed("non-minimal-length")
        value = int.from_bytes(content, "big")
        if value < least or (most is not None and value > most):
            raise Malformed("out-of-bounds")
        return value

    def word(self, tag: int, allowed) -> int:
        value = self.octets(tag, 1)[0]
        if value not in allowed:
            raise Malformed("bad-value")
        return value

    def text(self, tag: int, most: int, pattern: re.Pattern | None = None, least: int = 1) -> str:
        try:
            value = self.octets(tag, least, most).decode()
        except UnicodeDecodeError as error:
            raise Malformed("bad-value") from error
        if any(unicodedata.category(c) == "Cc" for c in value):
            raise Malformed("bad-value")
        if pattern is not None and not pattern.fullmatch(value):
            raise Malformed("bad-value")
        return value

    def station(self, tag: int) -> str:
        return self.text(tag, 32, STATION)

    def user(self, tag: int) -> str:
        name = self.text(tag, 64, USER, 3)
        if len(name.split("@")[1]) > 32:
            raise Malformed("out-of-bounds")
        return name

    def items(self, tag: int, least: int, most: int, read) -> list:
        """`read` called on the list's own Fields until they are used up."""
        inner, items = self.fields(tag), []
        while inner.peek() is not None:
            if len(items) == most:
                raise Malformed("out-of-bounds")
            items.append(read(inner))
        if len(items) < least:
            raise Malformed("out-of-bounds")
        return items

    def end(self):
        if self.at != len(self.data):
            raise Malformed("trailing-bytes")
