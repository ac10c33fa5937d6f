"""What a station gives a card and takes from it at enrolment, and later (card.md, Enrolment)."""

from memory import StationKeys
from objects import read_profile
from primitives import aes, cbc_decrypt, labelled, new_private_key, public_key, sha256, sign
from results import refuse_if
from tlv import element, number
from transmission import Command, Status

MOST_FORMER = 8
SPKI = bytes.fromhex("3059301306072A8648CE3D020106082A8648CE3D030107034200")


def certifies(certificate: bytes, private_key: int | None) -> bool:
    """A card need not read X.509."""
    return private_key is not None and SPKI + public_key(private_key) in certificate


class Enrolment:
    """Mixed into the card: its keys, its papers and its name."""

    def put_key(self, c: Command) -> bytes:
        if c.p2 != 0x81:
            raise Status(0x6A86)
        self.need_length(c.data, 157)
        session, current = self.session.keys, self.memory.station_keys
        if c.p1 != session.version:
            raise Status(0x6A88)
        version, keys, checks, good = c.data[0], [], b"", True
        for at in range(1, 157, 39):
            block = c.data[at : at + 39]
            if block[:3] != b"\x88\x21\x20" or block[35] != 3:
                raise Status(0x6A80)
            keys.append(cbc_decrypt(session.dek, bytes(16), block[3:35]))
            checks += aes(keys[-1], b"\1" * 16)[:3]
            good = good and checks[-3:] == block[36:]
        if not 1 <= version <= 0x7F:
            raise Status(0x6A80)
        refuse_if(not good, "key-check-failed")
        new = StationKeys(version, *keys)
        if new != current:
            refuse_if(version in (session.version, current.version), "conflict")
            self.memory.station_keys = new
            self.commit()
        return bytes([version]) + checks

    def generate_key_pair(self, c: Command) -> bytes:
        self.no_parameters(c)
        self.need_length(c.data, 16, 64)
        refuse_if(not self.is_initialised, "not-initialised")
        self.memory.pending_key = key = new_private_key()
        self.commit()
        public = public_key(key)
        possession = sign(key, labelled("possession", c.data, public))
        return element(0x67, element(0x80, public), element(0x81, possession))

    def attest(self, c: Command) -> bytes:
        self.no_parameters(c)
        self.need_length(c.data, 16, 64)
        m = self.memory
        refuse_if(m.device_key is None, "no-device-key")
        private = m.pending_key or m.private_key
        refuse_if(private is None, "not-found")
        body = element(
            0xA0,
            number(0x80, 1),
            number(0x81, 1),
            element(0x82, m.serial),
            element(0x83, public_key(private)),
            element(0x84, c.data),
            number(0x85, 0x0F),
        )
        signature = element(0x9E, sign(m.device_key, labelled("attestation", body)))
        return element(0x78, element(0x80, m.device_certificate), element(0xEC, body, signature))

    def put_certificate(self, c: Command) -> bytes:
        self.no_parameters(c)
        self.need_length(c.data, 1, 1024)
        m = self.memory
        pending = certifies(c.data, m.pending_key)
        refuse_if(not pending and not certifies(c.data, m.private_key), "conflict")
        if c.data == m.certificate:
            return b""
        if m.certificate is not None:
            m.former.append((sha256(m.certificate), public_key(m.private_key)))
            del m.former[:-MOST_FORMER]
        if pending:
            m.private_key, m.pending_key = m.pending_key, None
        m.certificate = c.data
        self.commit()
        return b""

    def put_profile(self, c: Command) -> bytes:
        self.no_parameters(c)
        profile = read_profile(c.data)
        refuse_if(not self.is_initialised, "not-initialised")
        is_another = self.is_enrolled and profile.owner != self.memory.profile.owner
        refuse_if(is_another, "conflict")
        self.memory.profile = profile
        self.commit()
        return b""

    def put_handle(self, c: Command) -> bytes:
        self.no_parameters(c)
        self.need_length(c.data, 16)
        self.memory.handle = c.data
        self.commit()
        return b""

    def need_enrolment(self):
        refuse_if(not self.is_enrolled, "not-enrolled")
