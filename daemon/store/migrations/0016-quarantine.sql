-- Records of neighbours that could not be handled (failure 46): counted, and in the end quarantined.
CREATE TABLE quarantine (
  -- The operator's name for it, and never another's.
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  peer TEXT NOT NULL,
  -- Of the neighbour's outbox.
  row_id BLOB NOT NULL CHECK (length(row_id) = 8),
  form TEXT NOT NULL CHECK (form = 'message' OR form = 'record'),
  attempts INTEGER NOT NULL CHECK (attempts > 0),
  first_ms INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  why TEXT NOT NULL,
  -- Both once it is quarantined: what came, and its SHA-256.
  digest BLOB CHECK (length(digest) = 32),
  sealed BLOB,
  CHECK ((digest IS NULL) = (sealed IS NULL))
) STRICT;
CREATE UNIQUE INDEX quarantine_counting ON quarantine (peer, row_id) WHERE sealed IS NULL;
-- A neighbour whose database was rolled back uses its row IDs again, for something else.
CREATE UNIQUE INDEX quarantine_by_content ON quarantine (peer, row_id, digest) WHERE sealed IS NOT NULL;
CREATE TRIGGER quarantine_is_never_changed BEFORE UPDATE ON quarantine WHEN OLD.sealed IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'what is quarantined is never changed'); END;
