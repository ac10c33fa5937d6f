"""Refusals of business, each a byte under the response MAC (card.md, Results)."""

RESULTS = (
    "done not-authorised no-matching-coin payment-limit-exceeded day-limit-exceeded pool-full "
    "peer-keys-full not-found commitment-mismatch signature-invalid wrong-network wrong-currency "
    "wrong-payer wrong-station not-unspent already-concluded not-enrolled conflict "
    "key-check-failed not-initialised no-device-key"
).split()


class Refused(Exception):
    """A refusal of business: a result under the response MAC."""

    def __init__(self, result: str):
        super().__init__(result)
        self.code = RESULTS.index(result)


def refuse_if(condition, result: str):
    if condition:
        raise Refused(result)
