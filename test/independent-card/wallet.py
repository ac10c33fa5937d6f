"""Coins, payments and keys shared with peers: the station's hand on them (card.md)."""

import secrets

from memory import (
    ACTIVE,
    BURNED,
    PAYEE,
    PAYER,
    PROVISIONAL,
    RETIRING,
    SIGNED,
    UNSPENT,
    Coin,
    Slot,
)
from objects import (
    PAY,
    acknowledgement,
    commitment,
    read_coins,
    read_erasure,
    read_offer,
    read_query,
    read_quote,
    read_receipt,
    read_refusal,
    read_retirement,
    write_transaction,
)
from primitives import labelled, sha256, sign
from results import refuse_if
from tlv import element, number
from transmission import Command, Status

MOST_COINS, MOST_GONE, MOST_SLOTS = 1000, 1024, 64


class Wallet:
    """Mixed into the card: what it holds for its owner."""

    # The pool

    def left_the_card(self, coin_id: bytes) -> bool:
        m = self.memory
        paid = any(s.role == PAYER and s.coin_id == coin_id for s in m.slots.values())
        return paid or coin_id in m.gone

    def coin_leaves(self, coin_id: bytes):
        m = self.memory
        if m.coins.pop(coin_id, None) is not None:
            m.gone.append(coin_id)
            del m.gone[:-MOST_GONE]

    def load_coins(self, c: Command) -> bytes:
        self.no_parameters(c)
        coins = read_coins(c.data)
        self.need_enrolment()
        m, added = self.memory, {}
        for coin_id, *content in coins:
            here = m.coins.get(coin_id) or added.get(coin_id)
            if here is not None:
                refuse_if([here.secret, here.value, here.expiry] != content, "conflict")
                continue
            refuse_if(self.left_the_card(coin_id), "not-unspent")
            added[coin_id] = Coin(*content)
        refuse_if(len(m.coins) + len(added) > MOST_COINS, "pool-full")
        if added:
            m.coins |= added
            self.commit()
        return b""

    def retire_coins(self, c: Command) -> bytes:
        self.no_parameters(c)
        order, operation, ids = read_retirement(c.data)
        self.need_enrolment()
        coins = [self.memory.coins[i] for i in ids if i in self.memory.coins]
        if len(coins) == len(ids) and all(coin.order == order for coin in coins):
            return b""
        digest = sha256(labelled("authorisation", c.data))
        refuse_if(not self.use_authorisation(operation, digest), "not-authorised")
        refuse_if(any(coin.state != UNSPENT for coin in coins), "not-unspent")
        refuse_if(len(coins) < len(ids), "not-found")
        for coin in coins:
            coin.state, coin.order = RETIRING, order
        self.commit()
        return b""

    def use_authorisation(self, operation: int, digest: bytes) -> bool:
        if self.authorisation != (operation, digest):
            return False
        self.authorisation = None
        return True

    def erase_coins(self, c: Command) -> bytes:
        self.no_parameters(c)
        ids, time = read_erasure(c.data)
        self.need_enrolment()
        m = self.memory
        now = max(m.time, time or 0)
        for coin in filter(None, map(m.coins.get, ids)):
            refuse_if(coin.state == SIGNED, "not-unspent")
            refuse_if(coin.state == UNSPENT and coin.expiry > now, "conflict")
        m.time = now
        for coin_id in ids:
            self.coin_leaves(coin_id)
        self.commit()
        return b""

    # Paying

    def pay(self, c: Command) -> bytes:
        if c.p1 > 1 or c.p2:
            raise Status(0x6A86)
        quote = read_quote(c.data)
        self.need_enrolment()
        m = self.memory
        for slot in m.slots.values():
            if slot.quote_digest == quote.digest:
                return self.pay_answer(slot, c.p1)
        refuse_if(not self.use_authorisation(PAY, quote.digest), "not-authorised")
        refuse_if(quote.network != m.profile.network, "wrong-network")
        refuse_if(quote.payer != m.profile.user, "wrong-payer")
        refuse_if(quote.stations[0] != m.profile.station, "wrong-station")
        refuse_if(quote.currency != m.profile.currency, "wrong-currency")
        day = max(quote.time // 86_400, m.day)
        spent = m.day_sum if day == m.day else 0
        refuse_if(quote.total > m.profile.payment_limit, "payment-limit-exceeded")
        refuse_if(spent + quote.total > m.profile.day_limit, "day-limit-exceeded")
        refuse_if(len(m.slots) >= MOST_SLOTS, "peer-keys-full")
        fitting = [
            coin_id
            for coin_id, coin in m.coins.items()
            if coin.state == UNSPENT
            and coin.value == quote.total
            and coin.expiry > quote.expiry
        ]
        refuse_if(not fitting, "no-matching-coin")
        coin_id = secrets.choice(fitting)
        coin = m.coins[coin_id]
        hidden = commitment(coin_id, coin.secret)
        transaction = write_transaction(
            quote.digest, coin_id, coin.value, hidden, sha256(m.certificate)
        )
        slot = Slot(
            role=PAYER,
            peer=quote.payee,
            transaction=transaction,
            coin_id=coin_id,
            secret=coin.secret,
            decides=quote.stations[-1],
            decider_key=quote.payee_station_key,
            epoch=m.erased_epoch,
            quote_digest=quote.digest,
        )
        coin.state = SIGNED
        m.slots[sha256(labelled("transaction", transaction))] = slot
        m.day, m.day_sum, m.time = day, spent + quote.total, max(m.time, quote.time)
        self.commit()
        self.sign_what_is_marked()
        return self.pay_answer(slot, c.p1)

    def sign_what_is_marked(self):
        for slot in self.memory.slots.values():
            if slot.signature is None:
                message = labelled("transaction", slot.transaction)
                slot.signature = sign(self.memory.private_key, message)
                self.commit()

    def pay_answer(self, slot: Slot, with_certificate: int) -> bytes:
        certificate = element(0x82, self.memory.certificate) if with_certificate else b""
        return element(
            0x6B, element(0x80, slot.coin_id), element(0x81, slot.signature), certificate
        )

    # Keys shared with peers

    def offer(self, c: Command) -> bytes:
        self.no_parameters(c)
        offer = read_offer(c.data)
        self.need_enrolment()
        m, transaction = self.memory, offer.transaction
        payment_id = transaction.payment_id
        slot = m.slots.get(payment_id)
        if slot is None:
            expected = commitment(transaction.coin_id, offer.secret)
            refuse_if(expected != transaction.commitment, "commitment-mismatch")
            refuse_if(len(m.slots) >= MOST_SLOTS, "peer-keys-full")
            message = acknowledgement(payment_id, sha256(m.certificate))
            slot = m.slots[payment_id] = Slot(
                role=PAYEE,
                peer=offer.payer,
                transaction=transaction.element,
                coin_id=transaction.coin_id,
                secret=offer.secret,
                decides=m.profile.station,
                decider_key=m.profile.station_key,
                epoch=m.erased_epoch,
                signature=sign(m.private_key, message),
            )
            self.commit()
        refuse_if(slot.role == PAYER, "conflict")
        refuse_if(slot.state == BURNED, "already-concluded")
        return element(0x6D, element(0x80, slot.signature))

    def conclude(self, c: Command) -> bytes:
        self.no_parameters(c)
        verdict = read_refusal(c.data) if c.data[:1] == b"\xea" else read_receipt(c.data)
        self.need_enrolment()
        m = self.memory
        slot = m.slots.get(verdict.payment_id)
        refuse_if(slot is None, "not-found")
        if verdict.is_refusal:
            station, key = m.profile.station, m.profile.station_key
            refuse_if(slot.role != PAYER, "wrong-station")
        else:
            station, key = slot.decides, slot.decider_key
        refuse_if(verdict.station != station, "wrong-station")
        refuse_if(not verdict.is_signed_by(key), "signature-invalid")
        own = slot.role == PAYER or verdict.acknowledgement == slot.signature
        refuse_if(verdict.delivered and not own, "signature-invalid")
        state = ACTIVE if verdict.delivered else BURNED
        refuse_if(slot.state not in (PROVISIONAL, state), "already-concluded")
        if slot.state == PROVISIONAL:
            slot.state = state
            m.time = max(m.time, verdict.time)
            if state == BURNED:
                slot.secret = None
            if slot.role == PAYER:
                self.coin_leaves(slot.coin_id)
            self.commit()
        return b""

    def query_journal(self, c: Command) -> bytes:
        self.no_parameters(c)
        payment_id, quote_digest, coin_id = read_query(c.data)
        self.need_enrolment()
        m, answer = self.memory, b""
        for key, slot in m.slots.items():
            if (
                key == payment_id
                or (quote_digest and slot.quote_digest == quote_digest)
                or (slot.role == PAYER and slot.coin_id == coin_id)
            ):
                fields = self.slot_fields(key, slot)
                if slot.quote_digest:
                    fields += element(0x85, slot.quote_digest)
                answer += element(0xA0, fields, element(0x86, slot.signature))
                coin_id = slot.coin_id if slot.role == PAYER else None
                break
        coin = m.coins.get(coin_id)
        if coin is not None:
            answer += element(0xA1, self.coin_fields(coin_id, coin))
        return element(0x73, answer)

    def slot_fields(self, payment_id: bytes, slot: Slot) -> bytes:
        return (
            element(0x80, payment_id)
            + number(0x81, slot.role)
            + number(0x82, slot.state)
            + element(0x83, slot.peer.encode())
            + element(0x84, slot.coin_id)
        )

    def coin_fields(self, coin_id: bytes, coin: Coin) -> bytes:
        return (
            element(0x80, coin_id)
            + number(0x81, coin.value)
            + number(0x82, coin.expiry)
            + number(0x83, coin.state)
        )
