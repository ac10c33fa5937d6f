-- QKD keys that were used, for ever; and what stations announced.
CREATE TABLE key_use (
  key_id BLOB PRIMARY KEY,
  peer TEXT NOT NULL,
  direction TEXT NOT NULL CHECK (direction IN ('send', 'receive')),
  purpose TEXT NOT NULL CHECK (purpose = 'traffic' OR purpose = 'pad' OR purpose = 'mac')
) STRICT, WITHOUT ROWID;

CREATE TABLE announcement (
  station TEXT PRIMARY KEY,
  sequence INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;

CREATE TABLE own_announcement (
  name BLOB PRIMARY KEY CHECK (length(name) = 16),
  sequence INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;

CREATE TABLE crl (
  single INTEGER PRIMARY KEY CHECK (single = 1),
  number INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
