-- S5. One window a row, one claim a row; a claim is in one window for ever.
CREATE TABLE settlement_window (
  peer TEXT NOT NULL,
  sequence INTEGER NOT NULL CHECK (sequence > 0),
  state TEXT NOT NULL
    CHECK (state = 'open' OR state = 'closed' OR state = 'agreed' OR state = 'paid'),
  ours_count INTEGER NOT NULL DEFAULT 0,
  ours_amount INTEGER NOT NULL DEFAULT 0,
  theirs_count INTEGER NOT NULL DEFAULT 0,
  theirs_amount INTEGER NOT NULL DEFAULT 0,
  agreement BLOB,
  paid_by TEXT,
  opened_ms INTEGER NOT NULL,
  PRIMARY KEY (peer, sequence),
  CHECK ((agreement IS NOT NULL) = (state IN ('agreed', 'paid'))),
  CHECK ((paid_by IS NOT NULL) = (state = 'paid'))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX settlement_one_open ON settlement_window (peer) WHERE state = 'open';
CREATE TRIGGER settlement_window_steps BEFORE UPDATE OF state ON settlement_window
WHEN (OLD.state, NEW.state) NOT IN
  (VALUES ('open', 'open'), ('open', 'closed'), ('closed', 'agreed'), ('agreed', 'paid'))
BEGIN SELECT RAISE(ABORT, 'no such step of a settlement window'); END;
CREATE TRIGGER settlement_window_is_closed
BEFORE UPDATE OF ours_count, ours_amount, theirs_count, theirs_amount ON settlement_window
WHEN OLD.state <> 'open'
BEGIN SELECT RAISE(ABORT, 'totals of a closed window stand'); END;

CREATE TABLE claim (
  number INTEGER PRIMARY KEY,
  redemption_id BLOB NOT NULL UNIQUE CHECK (length(redemption_id) = 32),
  side TEXT NOT NULL CHECK (side IN ('ours', 'theirs')),
  peer TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  payment INTEGER NOT NULL REFERENCES payment (number),
  amount INTEGER NOT NULL CHECK (amount > 0),
  FOREIGN KEY (peer, sequence) REFERENCES settlement_window (peer, sequence)
) STRICT;
CREATE INDEX claim_by_window ON claim (peer, sequence, side, number);
-- Whatever its redemption ID: one line of one bill, one claim (I5).
CREATE UNIQUE INDEX claim_once ON claim (payment, side, peer);
CREATE TRIGGER claim_is_never_changed BEFORE UPDATE ON claim
BEGIN SELECT RAISE(ABORT, 'a claim is never changed'); END;
CREATE TRIGGER claim_is_never_deleted BEFORE DELETE ON claim
BEGIN SELECT RAISE(ABORT, 'a claim is never deleted'); END;
