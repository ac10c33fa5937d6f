-- Who this database belongs to, users and cards.
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE counter (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL CHECK (value >= 0)
) STRICT, WITHOUT ROWID;

-- Kept once, sealed, by SHA-256.
CREATE TABLE certificate (
  hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
  sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE user (
  name TEXT PRIMARY KEY,
  currency TEXT NOT NULL,
  certificate_hash BLOB REFERENCES certificate (hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE card (
  number INTEGER PRIMARY KEY,
  serial BLOB NOT NULL UNIQUE,
  user TEXT NOT NULL REFERENCES user (name),
  state TEXT NOT NULL CHECK (state = 'awaiting-enrolment' OR state = 'enrolled' OR state = 'frozen'),
  key_version INTEGER NOT NULL,
  keys BLOB NOT NULL,
  next_key_version INTEGER,
  next_keys BLOB,
  handle BLOB,
  next_handle BLOB,
  payment_limit INTEGER NOT NULL CHECK (payment_limit >= 0),
  day_limit INTEGER NOT NULL CHECK (day_limit >= 0),
  CHECK ((next_key_version IS NULL) = (next_keys IS NULL))
) STRICT;
CREATE INDEX card_by_user ON card (user);
CREATE UNIQUE INDEX card_by_handle ON card (handle) WHERE handle IS NOT NULL;
CREATE UNIQUE INDEX card_by_next_handle ON card (next_handle) WHERE next_handle IS NOT NULL;
