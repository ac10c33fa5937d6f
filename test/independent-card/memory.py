"""What the card keeps without power, in one file: each commit writes it whole, and renames it."""

import pickle
from dataclasses import dataclass, field
from pathlib import Path

PROVISIONAL, ACTIVE, BURNED = 1, 2, 3
UNSPENT, SIGNED, RETIRING = 1, 2, 3
PAYER, PAYEE = 1, 2


@dataclass
class StationKeys:
    version: int
    enc: bytes
    mac: bytes
    dek: bytes
    host_link: bytes


@dataclass
class Code:
    """A PIN or a PUK."""

    most: int
    value: bytes | None = None
    tries: int = field(init=False)

    def __post_init__(self):
        self.tries = self.most


@dataclass
class Coin:
    secret: bytes
    value: int
    expiry: int
    state: int = UNSPENT
    order: bytes | None = None


@dataclass
class Slot:
    role: int
    peer: str
    transaction: bytes
    coin_id: bytes
    secret: bytes | None
    decides: str
    decider_key: bytes
    epoch: int
    quote_digest: bytes | None = None
    signature: bytes | None = None
    state: int = PROVISIONAL


@dataclass
class Memory:
    serial: bytes
    station_keys: StationKeys
    device_key: int | None = None
    device_certificate: bytes | None = None
    handle: bytes | None = None
    pin: Code = field(default_factory=lambda: Code(3))
    puk: Code = field(default_factory=lambda: Code(10))
    private_key: int | None = None
    pending_key: int | None = None
    certificate: bytes | None = None
    former: list = field(default_factory=list)  # (SHA-256, public key), the last 8
    profile: object = None
    coins: dict = field(default_factory=dict)
    gone: list = field(default_factory=list)
    slots: dict = field(default_factory=dict)
    erased_epoch: int = 0
    time: int = 0
    day: int = 0
    day_sum: int = 0


class MemoryFile:
    def __init__(self, path: Path):
        self.path = path

    def load(self) -> Memory:
        return pickle.loads(self.path.read_bytes())

    def commit(self, memory: Memory):
        """One transaction: before it the old is there, after it the new."""
        new = self.path.with_suffix(".new")
        new.write_bytes(pickle.dumps(memory))
        new.replace(self.path)
