"""APDUs, chains and answers in pieces (card.md, Transmission; ISO/IEC 7816-4 §5)."""

from dataclasses import dataclass

T1_EXTENDED, T1_SHORT, T0 = "t1-extended", "t1-short", "t0"
MOST = 65_535


class Status(Exception):
    """A status word without data."""

    def __init__(self, word: int):
        super().__init__(f"{word:04x}")
        self.word = word


@dataclass
class Command:
    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes
    ne: int  # 0: no Le

    @property
    def header(self):
        return self.cla & ~0x10, self.ins, self.p1, self.p2


def parse(apdu: bytes, extended: bool) -> Command:
    if len(apdu) < 4 or len(apdu) > MOST:
        raise Status(0x6700)
    head, body = apdu[:4], apdu[4:]
    if not body:
        return Command(*head, b"", 0)
    if len(body) == 1:
        return Command(*head, b"", body[0] or 256)
    if body[0]:
        size, rest = body[0], body[1:]
        if len(rest) == size:
            return Command(*head, rest, 0)
        if len(rest) == size + 1:
            return Command(*head, rest[:-1], rest[-1] or 256)
        raise Status(0x6700)
    if not extended or len(body) < 3:
        raise Status(0x6700)
    size, rest = int.from_bytes(body[1:3], "big"), body[3:]
    if not rest:
        return Command(*head, b"", size or 65_536)
    if size and len(rest) == size:
        return Command(*head, rest, 0)
    if size and len(rest) == size + 2:
        return Command(*head, rest[:-2], int.from_bytes(rest[-2:], "big") or 65_536)
    raise Status(0x6700)


def check_class(cla: int):
    if cla & ~0x10 in (0x00, 0x80, 0x84):
        return
    if cla & 0x60 == 0 and cla & 0x03:
        raise Status(0x6881)
    if cla & 0x60 == 0 and cla & 0x0C:
        raise Status(0x6882)
    raise Status(0x6881 if 0x40 <= cla < 0x80 else 0x6E00)


class Transmission:
    """Turns APDUs as they come into whole commands of an applet, and its answers into pieces."""

    def __init__(self, applet, profile: str = T1_EXTENDED):
        self.applet = applet
        self.profile = profile
        self.reset()

    @property
    def answer_to_reset(self) -> bytes:
        capabilities = 0xC0 if self.profile == T1_EXTENDED else 0x80
        historical = bytes([0x80, 0x73, 0x80, 0x01, capabilities, 0x57]) + b"KEYTOLL"
        if self.profile == T0:
            return bytes([0x3B, len(historical)]) + historical
        body = bytes([0x80 + len(historical), 0x01]) + historical
        check = 0
        for byte in body:
            check ^= byte
        return b"\x3b" + body + bytes([check])

    def reset(self):
        self.chain = None
        self.waiting = b""
        self.applet.power_on()

    def transmit(self, apdu: bytes) -> bytes:
        try:
            command = parse(apdu, self.profile == T1_EXTENDED)
            check_class(command.cla)
            waiting, self.waiting = self.waiting, b""
            command = self.join(command)
            if command is None:
                return b"\x90\0"
            if command.header[:2] == (0x00, 0xC0):
                return self.get_response(command, waiting)
            answer, word = self.applet.run(command)
        except Status as status:
            return status.word.to_bytes(2, "big")
        if not answer:
            return word.to_bytes(2, "big")
        self.waiting = answer
        if command.data and self.profile == T0:
            return self.more()
        return self.piece(command.ne)

    def join(self, command: Command) -> Command | None:
        if self.chain is not None:
            header, data = self.chain
            self.chain = None
            if command.header != header:
                raise Status(0x6883)
            command.data = data + command.data
            if len(command.data) > MOST:
                raise Status(0x6700)
        if command.cla & 0x10:
            self.chain = command.header, command.data
            return None
        return command

    def get_response(self, command: Command, waiting: bytes) -> bytes:
        if not self.applet.selected:
            raise Status(0x6985)
        if command.p1 or command.p2:
            raise Status(0x6A86)
        if command.data:
            raise Status(0x6700)
        if not waiting:
            raise Status(0x6985)
        self.waiting = waiting
        return self.piece(command.ne)

    def more(self) -> bytes:
        left = len(self.waiting)
        return bytes([0x61, left if left < 256 else 0])

    def piece(self, ne: int) -> bytes:
        if self.profile == T0 and ne > len(self.waiting):
            return bytes([0x6C, len(self.waiting)])
        piece, self.waiting = self.waiting[:ne], self.waiting[ne:]
        return piece + (self.more() if self.waiting else b"\x90\0")
