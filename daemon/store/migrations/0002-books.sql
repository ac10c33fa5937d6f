-- Double entry. Totals per account are kept beside the transfers that they are sums of.
CREATE TABLE account (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  guarded INTEGER NOT NULL CHECK (guarded IN (0, 1)),
  debits INTEGER NOT NULL DEFAULT 0 CHECK (debits >= 0),
  credits INTEGER NOT NULL DEFAULT 0 CHECK (credits >= 0),
  CONSTRAINT never_overdrawn CHECK (guarded = 0 OR credits >= debits)
) STRICT;

CREATE TABLE transfer (
  number INTEGER PRIMARY KEY,
  debit INTEGER NOT NULL REFERENCES account (number),
  credit INTEGER NOT NULL REFERENCES account (number),
  amount INTEGER NOT NULL CHECK (amount > 0),
  kind TEXT NOT NULL,
  reference BLOB NOT NULL,
  time_ms INTEGER NOT NULL,
  CHECK (debit <> credit)
) STRICT;

CREATE TRIGGER transfer_is_never_changed BEFORE UPDATE ON transfer
BEGIN SELECT RAISE(ABORT, 'a transfer is never changed'); END;
CREATE TRIGGER transfer_is_never_deleted BEFORE DELETE ON transfer
BEGIN SELECT RAISE(ABORT, 'a transfer is never deleted'); END;
-- OR REPLACE deletes without the trigger above unless recursive triggers are on.
CREATE TRIGGER transfer_is_never_replaced BEFORE INSERT ON transfer
WHEN EXISTS (SELECT 1 FROM transfer WHERE number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'a transfer is never replaced'); END;
CREATE TRIGGER account_is_never_deleted BEFORE DELETE ON account
BEGIN SELECT RAISE(ABORT, 'an account is never deleted'); END;

-- The operator's cash in and out, once per reference.
CREATE TABLE cash_movement (
  kind TEXT NOT NULL CHECK (kind IN ('top-up', 'pay-out')),
  reference TEXT NOT NULL,
  user TEXT NOT NULL REFERENCES user (name),
  amount INTEGER NOT NULL CHECK (amount >= 0),
  PRIMARY KEY (kind, reference)
) STRICT, WITHOUT ROWID;

-- Quotes, by the hour of their expiry and then by digest.
CREATE TABLE quote (
  number INTEGER PRIMARY KEY,
  bucket INTEGER NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  payer TEXT NOT NULL,
  quote BLOB NOT NULL,
  acceptance BLOB NOT NULL,
  expiry INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX quote_by_digest ON quote (bucket, digest);
CREATE TABLE quote_bucket (bucket INTEGER PRIMARY KEY) STRICT;
