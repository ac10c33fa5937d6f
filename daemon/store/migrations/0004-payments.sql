-- Payments. `bucket` is the hour or so of the delivery deadline: the payment ID commits to the deadline,
-- so uniqueness within a bucket is uniqueness, and the index's busy part stays small.
CREATE TABLE payment (
  number INTEGER PRIMARY KEY,
  bucket INTEGER NOT NULL,
  payment_id BLOB NOT NULL CHECK (length(payment_id) = 32),
  role TEXT NOT NULL CHECK (role = 'issuer' OR role = 'relay' OR role = 'last'),
  state TEXT NOT NULL CHECK (state = 'admitted' OR state = 'relayed' OR state = 'held'
    OR state = 'forwarded' OR state = 'offered' OR state = 'delivered' OR state = 'undelivered'
    OR state = 'refused'),
  -- Rises with every change of any payment: what a wallet that was away asks behind.
  change INTEGER NOT NULL,
  payer TEXT NOT NULL,
  payee TEXT NOT NULL,
  issuer TEXT NOT NULL,
  coin_id BLOB NOT NULL CHECK (length(coin_id) = 16),
  value INTEGER NOT NULL CHECK (value >= 0),
  fee INTEGER NOT NULL CHECK (fee >= 0),
  quote_digest BLOB NOT NULL CHECK (length(quote_digest) = 32),
  previous TEXT,
  next TEXT,
  delivery_deadline INTEGER NOT NULL,
  resolution_deadline INTEGER NOT NULL,
  stored_ms INTEGER NOT NULL,
  decided_ms INTEGER,
  card_concluded INTEGER NOT NULL DEFAULT 0 CHECK (card_concluded IN (0, 1)),
  -- The unconfirmed row towards the next station.
  outbox_row INTEGER,
  -- A delivered payment with a fee of ours on another's coin, until a claim names it.
  unclaimed INTEGER NOT NULL DEFAULT 0 CHECK (unclaimed IN (0, 1)),
  CHECK ((decided_ms IS NOT NULL)
    = (state = 'delivered' OR state = 'undelivered' OR state = 'refused'))
) STRICT;
CREATE UNIQUE INDEX payment_by_id ON payment (bucket, payment_id);
CREATE TABLE payment_bucket (bucket INTEGER PRIMARY KEY) STRICT;
CREATE INDEX payment_by_quote ON payment (bucket, quote_digest) WHERE role = 'issuer';
-- One payment per coin (I13). The issuer's own coins have their state for that.
CREATE UNIQUE INDEX payment_by_coin ON payment (issuer, coin_id) WHERE role <> 'issuer';
CREATE INDEX payment_open ON payment (role, delivery_deadline, payment_id)
  WHERE decided_ms IS NULL;
CREATE INDEX payment_of_payer ON payment (payer, change) WHERE role = 'issuer';
CREATE INDEX payment_of_payee ON payment (payee, change) WHERE role = 'last';
CREATE INDEX payment_unconcluded_payer ON payment (payer)
  WHERE role = 'issuer' AND decided_ms IS NOT NULL AND card_concluded = 0;
CREATE INDEX payment_unconcluded_payee ON payment (payee)
  WHERE role = 'last' AND decided_ms IS NOT NULL AND card_concluded = 0;
CREATE INDEX payment_unclaimed ON payment (issuer, number) WHERE unclaimed = 1;

-- A verdict sticks (I25, I31); relays' states go forward only.
CREATE TRIGGER payment_steps BEFORE UPDATE OF state ON payment
WHEN NEW.state <> OLD.state AND NOT (
  OLD.state = 'admitted' AND NEW.state = 'relayed'
  OR OLD.state = 'held' AND (NEW.state = 'forwarded' OR NEW.state = 'offered')
  OR OLD.decided_ms IS NULL AND (NEW.state = 'delivered' OR NEW.state = 'undelivered')
)
BEGIN SELECT RAISE(ABORT, 'no such step of a payment'); END;
CREATE TRIGGER payment_is_never_deleted BEFORE DELETE ON payment
BEGIN SELECT RAISE(ABORT, 'a payment is never deleted'); END;

-- What never changes of a payment; apart, so that a change of state rewrites little.
CREATE TABLE payment_body (
  number INTEGER PRIMARY KEY REFERENCES payment (number),
  payment BLOB NOT NULL,
  admission BLOB,
  certificate_hash BLOB NOT NULL,
  -- `q1=5 q2=7`, in route order; the issuer's books need it again.
  bill TEXT NOT NULL
) STRICT;
CREATE TRIGGER payment_body_is_never_changed BEFORE UPDATE ON payment_body
BEGIN SELECT RAISE(ABORT, 'a payment never changes its content'); END;

-- The final word: a receipt, or the issuer's refusal before admission.
CREATE TABLE payment_verdict (
  number INTEGER PRIMARY KEY REFERENCES payment (number),
  receipt BLOB,
  refusal BLOB,
  CHECK ((receipt IS NULL) <> (refusal IS NULL))
) STRICT;
CREATE TRIGGER payment_verdict_is_never_changed BEFORE UPDATE ON payment_verdict
BEGIN SELECT RAISE(ABORT, 'a verdict sticks'); END;

-- The last station's, until it has decided.
CREATE TABLE held_secret (
  number INTEGER PRIMARY KEY REFERENCES payment (number),
  sealed BLOB NOT NULL
) STRICT;

CREATE TABLE tombstone (
  payment_id BLOB PRIMARY KEY CHECK (length(payment_id) = 32),
  receipt BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A row's number is never used again, or an old confirmation would delete a new row.
CREATE TABLE outbox (
  row_id INTEGER PRIMARY KEY AUTOINCREMENT,
  peer TEXT NOT NULL,
  -- 0: words about payments (receipts, refusals). 1: payments.
  rank INTEGER NOT NULL CHECK (rank IN (0, 1)),
  payment_id BLOB NOT NULL,
  sealed BLOB NOT NULL
) STRICT;
CREATE INDEX outbox_by_peer ON outbox (peer, rank, row_id);

CREATE TABLE evidence (
  number INTEGER PRIMARY KEY,
  payment_id BLOB NOT NULL,
  digest BLOB NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX evidence_by_payment ON evidence (payment_id, digest);
