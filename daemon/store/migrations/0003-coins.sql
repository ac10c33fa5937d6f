-- Orders: coins bought, given back or exchanged.
CREATE TABLE coin_order (
  order_id BLOB PRIMARY KEY CHECK (length(order_id) = 16),
  user TEXT NOT NULL REFERENCES user (name),
  kind TEXT NOT NULL CHECK (kind = 'buy' OR kind = 'refund' OR kind = 'exchange'),
  state TEXT NOT NULL CHECK (state = 'open' OR state = 'done' OR state = 'cancelled'),
  -- What was asked for, so that the same ID with other content is seen.
  content TEXT NOT NULL,
  time_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX order_open ON coin_order (user) WHERE state = 'open';

-- Coins of this station (design §7). IDs begin with the time of issue. States are compared one by one:
-- for `IN` with three words SQLite builds a table anew at every statement, in every CHECK and index.
CREATE TABLE coin (
  number INTEGER PRIMARY KEY,
  coin_id BLOB NOT NULL UNIQUE CHECK (length(coin_id) = 16),
  owner TEXT NOT NULL REFERENCES user (name),
  value INTEGER NOT NULL CHECK (value >= 0),
  expiry INTEGER NOT NULL,
  state TEXT NOT NULL,
  commitment BLOB NOT NULL CHECK (length(commitment) = 32),
  coin BLOB NOT NULL,
  order_id BLOB NOT NULL,
  retirement_id BLOB REFERENCES coin_order (order_id),
  payment_id BLOB,
  replaces BLOB,
  sealed BLOB,
  CONSTRAINT secret_erased_at_the_end CHECK (
    (sealed IS NULL) = (state = 'spent' OR state = 'burned' OR state = 'refunded'
      OR state = 'exchanged' OR state = 'expired')
  ),
  CONSTRAINT payment_named CHECK (
    (payment_id IS NOT NULL) = (state = 'pending' OR state = 'spent' OR state = 'burned')
  ),
  CONSTRAINT retirement_named CHECK (
    (retirement_id IS NOT NULL) = (state = 'retiring' OR state = 'refunded' OR state = 'exchanged')
  )
) STRICT;
CREATE INDEX coin_by_order ON coin (order_id);
CREATE INDEX coin_by_owner ON coin (owner, coin_id);
CREATE INDEX coin_live ON coin (owner, coin_id)
  WHERE state = 'reserved' OR state = 'loading' OR state = 'unspent' OR state = 'retiring';
CREATE INDEX coin_expiring ON coin (expiry)
  WHERE state = 'reserved' OR state = 'loading' OR state = 'unspent';
CREATE INDEX coin_retiring ON coin (retirement_id) WHERE retirement_id IS NOT NULL;
-- A burned coin has one replacement (I1).
CREATE UNIQUE INDEX coin_by_replaced ON coin (replaces) WHERE replaces IS NOT NULL;

-- The state graph (I11): terminal states are never left, and nothing but these steps is ever made.
CREATE TRIGGER coin_starts_reserved BEFORE INSERT ON coin
WHEN NEW.state <> 'reserved' OR EXISTS (SELECT 1 FROM coin WHERE coin_id = NEW.coin_id)
BEGIN SELECT RAISE(ABORT, 'a coin starts reserved, once'); END;
CREATE TRIGGER coin_steps BEFORE UPDATE OF state ON coin
WHEN NEW.state <> OLD.state AND NOT (
  OLD.state = 'reserved' AND (NEW.state = 'loading' OR NEW.state = 'expired')
  OR OLD.state = 'loading' AND (NEW.state = 'unspent' OR NEW.state = 'expired')
  OR OLD.state = 'unspent'
    AND (NEW.state = 'pending' OR NEW.state = 'retiring' OR NEW.state = 'expired')
  OR OLD.state = 'pending' AND (NEW.state = 'spent' OR NEW.state = 'burned')
  OR OLD.state = 'retiring'
    AND (NEW.state = 'refunded' OR NEW.state = 'exchanged' OR NEW.state = 'unspent')
)
BEGIN SELECT RAISE(ABORT, 'no such step of a coin'); END;
CREATE TRIGGER coin_is_what_it_was BEFORE UPDATE OF coin_id, owner, value, expiry, commitment, coin ON coin
BEGIN SELECT RAISE(ABORT, 'a coin never changes its content'); END;
CREATE TRIGGER coin_is_never_deleted BEFORE DELETE ON coin
BEGIN SELECT RAISE(ABORT, 'a coin is never deleted'); END;

-- An exchange's new coins, until the card has retired the old ones.
CREATE TABLE coin_in_waiting (
  order_id BLOB NOT NULL REFERENCES coin_order (order_id),
  coin_id BLOB NOT NULL CHECK (length(coin_id) = 16),
  value INTEGER NOT NULL CHECK (value >= 0),
  expiry INTEGER NOT NULL,
  commitment BLOB NOT NULL,
  coin BLOB NOT NULL,
  sealed BLOB NOT NULL
) STRICT;
CREATE INDEX coin_in_waiting_by_order ON coin_in_waiting (order_id);
