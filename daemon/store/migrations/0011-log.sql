-- The log (S6): one leaf for each step in which money moved or a payment ended, numbered from 1 as they come.
CREATE TABLE log_leaf (
  number INTEGER PRIMARY KEY,
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  -- The transfers of that step, none or the first to the last of them; the payment that ended, if one did.
  first_transfer INTEGER,
  last_transfer INTEGER,
  payment INTEGER REFERENCES payment (number),
  CHECK ((first_transfer IS NULL) = (last_transfer IS NULL) AND first_transfer <= last_transfer),
  CHECK (first_transfer IS NOT NULL OR payment IS NOT NULL)
) STRICT;
CREATE TRIGGER log_leaf_is_never_changed BEFORE UPDATE ON log_leaf
BEGIN SELECT RAISE(ABORT, 'a leaf of the log is never changed'); END;
CREATE TRIGGER log_leaf_is_never_deleted BEFORE DELETE ON log_leaf
BEGIN SELECT RAISE(ABORT, 'a leaf of the log is never deleted'); END;
CREATE TRIGGER log_leaf_is_never_replaced BEFORE INSERT ON log_leaf
WHEN EXISTS (SELECT 1 FROM log_leaf WHERE number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'a leaf of the log is never replaced'); END;

-- Hashes of complete subtrees, numbered from 1 in each level: over 256 leaves, over 256 of those, and so on.
CREATE TABLE log_tile (
  level INTEGER NOT NULL CHECK (level > 0),
  number INTEGER NOT NULL CHECK (number > 0),
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (level, number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER log_tile_is_never_changed BEFORE UPDATE ON log_tile
BEGIN SELECT RAISE(ABORT, 'a tile of the log is never changed'); END;
CREATE TRIGGER log_tile_is_never_deleted BEFORE DELETE ON log_tile
BEGIN SELECT RAISE(ABORT, 'a tile of the log is never deleted'); END;
CREATE TRIGGER log_tile_is_never_replaced BEFORE INSERT ON log_tile
WHEN EXISTS (SELECT 1 FROM log_tile WHERE level = NEW.level AND number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'a tile of the log is never replaced'); END;

-- What was stored before there was a log gets its leaves when the program next opens the database.
INSERT INTO meta (name, value) VALUES ('log-awaits-what-was-before', x'01');
