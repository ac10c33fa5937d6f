-- Signed checkpoints of this station's log, by how many leaves they are over.
CREATE TABLE checkpoint (
  size INTEGER PRIMARY KEY CHECK (size > 0),
  bytes BLOB NOT NULL
) STRICT;
CREATE TRIGGER checkpoint_is_never_changed BEFORE UPDATE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'a checkpoint is never changed'); END;
CREATE TRIGGER checkpoint_is_never_deleted BEFORE DELETE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'a checkpoint is never deleted'); END;

-- What each neighbour last showed to have cosigned of this station's checkpoints.
CREATE TABLE cosigned (
  witness TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  checkpoint BLOB NOT NULL,
  cosignature BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What this station last cosigned of each neighbour's checkpoints: never an earlier one again.
CREATE TABLE witnessed (
  station TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  checkpoint BLOB NOT NULL,
  cosignature BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER witnessed_never_goes_back BEFORE UPDATE ON witnessed WHEN NEW.size <= OLD.size
BEGIN SELECT RAISE(ABORT, 'a witness never goes back'); END;
CREATE TRIGGER witnessed_is_never_forgotten BEFORE DELETE ON witnessed
BEGIN SELECT RAISE(ABORT, 'a witness never forgets'); END;

-- Two checkpoints of one station that do not go together, as it signed them.
CREATE TABLE two_logs (
  number INTEGER PRIMARY KEY,
  station TEXT NOT NULL,
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
  cosigned BLOB NOT NULL,
  shown BLOB NOT NULL
) STRICT;
