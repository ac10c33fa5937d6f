"""The applet: life, PIN and PUK, and the host's commands (card.md)."""

import hmac
from dataclasses import replace

from enrolment import Enrolment
from memory import ACTIVE, PAYER, PROVISIONAL, Code, MemoryFile
from objects import (
    acknowledgement,
    profile_fields,
    read_authorisation,
    read_signature_check,
    read_traffic_request,
)
from primitives import kdf, public_key, sha256, verifies
from results import Refused
from secure_channel import BadMessage, Session
from tlv import Malformed, element, number
from transmission import Command, Status
from wallet import Wallet

AID = bytes.fromhex("f04b4559544f4c4c01")
LAST_EPOCH = 0xFFFFFFFF


class Card(Enrolment, Wallet):
    def __init__(self, store: MemoryFile):
        self.store = store
        self.power_on()

    def power_on(self):
        self.memory = self.store.load()
        self.reset()

    def reset(self):
        self.selected = False
        self.pin_verified = False
        self.authorisation = None
        self.greeting = None
        self.session = None

    def commit(self):
        self.store.commit(self.memory)

    # What follows from what the card holds

    @property
    def identifier(self) -> bytes:
        return self.memory.handle or self.memory.serial

    @property
    def is_initialised(self) -> bool:
        return self.memory.pin.value is not None and self.memory.puk.value is not None

    @property
    def is_enrolled(self) -> bool:
        m = self.memory
        return bool(
            self.is_initialised and m.certificate and m.profile and m.station_keys.version != 0x30
        )

    @property
    def life_cycle(self) -> int:
        if not self.is_initialised:
            return 1
        if self.memory.pin.tries == 0 and self.memory.puk.tries == 0:
            return 4
        return 3 if self.is_enrolled else 2

    # Dispatch

    def run(self, c: Command) -> tuple[bytes, int]:
        if c.header[:2] == (0x00, 0xA4):
            return self.select(c), 0x9000
        if not self.selected:
            raise Status(0x6985)
        cla, ins = c.header[:2]
        if cla == 0x84:
            if ins == 0x82:
                return self.external_authenticate(c), 0x9000
            return self.secure(c), 0x9000
        clear = CLEAR_COMMANDS.get((cla, ins))
        if clear is None:
            raise Status(0x6982 if cla == 0x80 and ins in STATION_COMMANDS else 0x6D00)
        try:
            return clear(self, c), 0x9000
        except Malformed as error:
            raise Status(0x6A80) from error

    def secure(self, c: Command) -> bytes:
        if self.session is None:
            raise Status(0x6982)
        try:
            plain = replace(c, data=self.session.unwrap(c.ins, c.p1, c.p2, c.data))
        except BadMessage as error:
            self.session = None
            raise Status(0x6982) from error
        self.sign_what_is_marked()
        command = STATION_COMMANDS.get(c.ins)
        if command is None:
            raise Status(0x6D00)
        try:
            answer = b"\0" + command(self, plain)
        except Refused as refusal:
            answer = bytes([refusal.code])
        except Malformed as error:
            raise Status(0x6A80) from error
        return self.session.wrap(answer)

    # Selection and information

    def select(self, c: Command) -> bytes:
        if c.p1 != 4 or c.p2 not in (0x00, 0x0C):
            raise Status(0x6A86)
        if c.data != AID:
            raise Status(0x6A82)
        self.reset()
        self.selected = True
        if c.p2 == 0x0C:
            return b""
        return element(0x6F, element(0x84, AID), element(0xA5, self.application_information()))

    def application_information(self) -> bytes:
        m = self.memory
        return element(
            0x6E,
            number(0x80, 1),
            number(0x81, self.life_cycle),
            element(0x82, self.identifier),
            number(0x83, m.pin.tries),
            number(0x84, m.puk.tries),
            number(0x85, m.station_keys.version),
            number(0x86, len(m.coins)),
            number(0x87, 1000),
            number(0x88, len(m.slots)),
            number(0x89, 64),
        )

    def get_data(self, c: Command) -> bytes:
        which = c.p1, c.p2
        if which == (1, 2):
            self.need_pin()
        elif which != (1, 1):
            raise Status(0x6A88)
        if c.data:
            raise Status(0x6700)
        if which == (1, 1):
            return self.application_information()
        m = self.memory
        if m.profile is None or m.certificate is None:
            raise Status(0x6A88)
        return element(0x66, profile_fields(m.profile), element(0x87, sha256(m.certificate)))

    # PIN and PUK

    def need_pin(self):
        if not self.pin_verified:
            raise Status(0x6982)

    def forget_pin(self):
        self.pin_verified = False
        self.authorisation = None

    def code_of(self, p2: int) -> Code:
        if p2 == 0x80:
            return self.memory.pin
        if p2 == 0x81:
            return self.memory.puk
        raise Status(0x6A86)

    def need_tries(self, code: Code):
        if code.value is None:
            raise Status(0x6984)
        if code.tries == 0:
            raise Status(0x6983)

    def compare(self, code: Code, value: bytes):
        """Pays for the try first; the caller sets the counter back and commits."""
        self.need_tries(code)
        code.tries -= 1
        self.commit()
        if not hmac.compare_digest(code.value, value):
            if code is self.memory.pin:
                self.forget_pin()
            raise Status(0x63C0 + code.tries)

    def verify(self, c: Command) -> bytes:
        code = self.code_of(c.p2)
        if c.p1:
            raise Status(0x6A86)
        if not c.data:
            if code is self.memory.pin and self.pin_verified:
                return b""
            self.need_tries(code)
            raise Status(0x63C0 + code.tries)
        self.need_length(c.data, 4, 16)
        self.compare(code, c.data)
        code.tries = code.most
        self.commit()
        if code is self.memory.pin:
            self.pin_verified = True
        return b""

    def need_length(self, data: bytes, least: int, most: int | None = None):
        if not least <= len(data) <= (least if most is None else most):
            raise Status(0x6700)

    def change_reference_data(self, c: Command) -> bytes:
        code = self.code_of(c.p2)
        if c.p1 not in (0, 1):
            raise Status(0x6A86)
        if c.p1 == 1:
            self.need_length(c.data, 4, 16)
            if code.value is not None:
                raise Status(0x6985)
            code.value, code.tries = c.data, code.most
            self.commit()
            return b""
        self.put_new(code, c.data, code)
        return b""

    def reset_retry_counter(self, c: Command) -> bytes:
        if (c.p1, c.p2) != (0, 0x80):
            raise Status(0x6A86)
        self.put_new(self.memory.puk, c.data, self.memory.pin)
        self.forget_pin()
        return b""

    def put_new(self, proof: Code, data: bytes, replaced: Code):
        """`data` is the proof's value ‖ the new value of what is replaced."""
        self.need_length(data, 8, 32)
        self.need_tries(proof)
        size = len(proof.value)
        self.compare(proof, data[:size])
        proof.tries = proof.most
        self.commit()
        if not 4 <= len(data) - size <= 16:
            raise Status(0x6700)
        replaced.value, replaced.tries = data[size:], replaced.most
        self.commit()

    # The host's hand

    def no_parameters(self, c: Command):
        if c.p1 or c.p2:
            raise Status(0x6A86)

    def authorise(self, c: Command) -> bytes:
        self.need_pin()
        self.no_parameters(c)
        self.authorisation = read_authorisation(c.data)
        return b""

    def derive_host_link(self, c: Command) -> bytes:
        self.need_pin()
        self.no_parameters(c)
        self.need_length(c.data, 16)
        if self.session is None:
            raise Status(0x6985)
        s = self.session
        context = s.card_challenge + s.station_challenge + c.data
        keys = [
            kdf(s.keys.host_link, f"keytoll host link 1:traffic:{direction}", context)
            for direction in ("to-station", "to-host")
        ]
        return element(0x76, element(0x80, keys[0]), element(0x81, keys[1]))

    def list_peer_keys(self, c: Command) -> bytes:
        self.need_pin()
        if c.p2:
            raise Status(0x6A86)
        self.need_length(c.data, 0)
        slots = list(self.memory.slots.items())
        items = []
        for payment_id, slot in slots[c.p1 : c.p1 + 16]:
            fields = self.slot_fields(payment_id, slot) + number(0x85, slot.epoch)
            if slot.secret is not None:
                check = kdf(slot.secret, "keytoll peer key 1:check", payment_id, 8)
                fields += element(0x86, check)
            items.append(element(0xA0, fields))
        return element(0x70, number(0x80, len(slots)), element(0xA1, *items))

    def list_coins(self, c: Command) -> bytes:
        self.need_pin()
        self.need_length(c.data, 0)
        first = c.p1 << 8 | c.p2
        coins = list(self.memory.coins.items())
        items = [element(0xA0, self.coin_fields(i, k)) for i, k in coins[first : first + 64]]
        return element(0x71, number(0x80, len(coins)), element(0xA1, *items))

    def derive_traffic(self, c: Command) -> bytes:
        self.need_pin()
        if c.p1 not in (1, 2) or c.p2:
            raise Status(0x6A86)
        sends = c.p1 == 1
        payment_id, epoch = read_traffic_request(c.data)
        if sends != (epoch is None) or epoch == 0:
            raise Status(0x6A80)
        slot = self.memory.slots.get(payment_id)
        if slot is None:
            raise Status(0x6A88)
        if slot.state != ACTIVE or (sends and slot.epoch == LAST_EPOCH):
            raise Status(0x6985)
        if sends:
            slot.epoch += 1
            self.commit()
            epoch = slot.epoch
        direction = "to-payee" if sends == (slot.role == PAYER) else "to-payer"
        context = payment_id + epoch.to_bytes(4, "big")
        key = kdf(slot.secret, f"keytoll peer key 1:traffic:{direction}", context)
        return element(0x75, number(0x80, epoch), element(0x81, key))

    def erase_peer_key(self, c: Command) -> bytes:
        self.need_pin()
        self.no_parameters(c)
        self.need_length(c.data, 32)
        slot = self.memory.slots.get(c.data)
        if slot is None:
            raise Status(0x6A88)
        if slot.state == PROVISIONAL:
            raise Status(0x6985)
        del self.memory.slots[c.data]
        self.memory.erased_epoch = max(self.memory.erased_epoch, slot.epoch)
        self.commit()
        return b""

    def check_signature(self, c: Command) -> bytes:
        self.need_pin()
        self.no_parameters(c)
        transaction, payment_id, signature, certificate = read_signature_check(c.data)
        if not self.is_enrolled:
            raise Status(0x6A88)
        own = sha256(self.memory.certificate)
        named = transaction.payer_certificate if transaction else certificate or own
        keys = dict(self.memory.former) | {own: public_key(self.memory.private_key)}
        if named not in keys:
            raise Status(0x6A88)
        message = transaction.message if transaction else acknowledgement(payment_id, named)
        return bytes([verifies(keys[named], signature, message)])

    # Opening a session

    def initialize_update(self, c: Command) -> bytes:
        self.session = self.greeting = None
        if c.p2:
            raise Status(0x6A86)
        self.need_length(c.data, 16)
        keys = self.memory.station_keys
        if c.p1 not in (0, keys.version):
            raise Status(0x6A88)
        self.greeting = greeting = Session(keys, c.data)
        version = bytes([keys.version, 0x03, 0x61])
        proof = greeting.card_challenge + greeting.card_cryptogram
        return self.identifier[:10] + version + proof

    def external_authenticate(self, c: Command) -> bytes:
        greeting, self.greeting = self.greeting, None
        if greeting is None:
            raise Status(0x6985)
        if not greeting.authenticate(c.p1, c.p2, c.data):
            raise Status(0x6982)
        self.session = greeting
        return b""


CLEAR_COMMANDS = {
    (0x00, 0xCA): Card.get_data,
    (0x00, 0x20): Card.verify,
    (0x00, 0x24): Card.change_reference_data,
    (0x00, 0x2C): Card.reset_retry_counter,
    (0x80, 0x10): Card.authorise,
    (0x80, 0x12): Card.derive_host_link,
    (0x80, 0x14): Card.list_peer_keys,
    (0x80, 0x16): Card.derive_traffic,
    (0x80, 0x18): Card.list_coins,
    (0x80, 0x1A): Card.erase_peer_key,
    (0x80, 0x1C): Card.check_signature,
    (0x80, 0x50): Card.initialize_update,
}

STATION_COMMANDS = {
    0xD8: Card.put_key,
    0x46: Card.generate_key_pair,
    0x48: Card.attest,
    0x20: Card.put_certificate,
    0x22: Card.put_profile,
    0x24: Card.put_handle,
    0x28: Card.load_coins,
    0x30: Card.pay,
    0x32: Card.offer,
    0x34: Card.conclude,
    0x36: Card.query_journal,
    0x38: Card.retire_coins,
    0x3A: Card.erase_coins,
}
