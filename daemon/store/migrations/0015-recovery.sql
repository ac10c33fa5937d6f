-- Books that are rebuilt from neighbours after records were lost (failures 37 to 39).

-- Declarations of lost leaves, of this station and of its neighbours, as their stations signed them. They stay.
CREATE TABLE declaration (
  number INTEGER PRIMARY KEY,
  station TEXT NOT NULL,
  generation INTEGER NOT NULL CHECK (generation > 0),
  bytes BLOB NOT NULL,
  -- What this station had cosigned of that log until then, if it had: what was given up before its eyes.
  held_checkpoint BLOB,
  held_cosignature BLOB,
  -- Whether its generation counts here; one that contradicts another is kept as evidence alone.
  accepted INTEGER NOT NULL CHECK (accepted IN (0, 1))
) STRICT;
CREATE UNIQUE INDEX declaration_once ON declaration (station, generation) WHERE accepted = 1;
CREATE TRIGGER declaration_is_never_changed BEFORE UPDATE ON declaration
BEGIN SELECT RAISE(ABORT, 'a declaration is never changed'); END;
CREATE TRIGGER declaration_is_never_deleted BEFORE DELETE ON declaration
BEGIN SELECT RAISE(ABORT, 'a declaration is never deleted'); END;
CREATE TRIGGER declaration_goes_forward BEFORE INSERT ON declaration WHEN NEW.accepted = 1
  AND EXISTS (SELECT 1 FROM declaration WHERE station = NEW.station AND accepted = 1
    AND generation >= NEW.generation)
BEGIN SELECT RAISE(ABORT, 'a declaration of an earlier generation'); END;

-- A witness goes back only to what a declaration that it keeps says, and never within a generation.
ALTER TABLE witnessed ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;
DROP TRIGGER witnessed_never_goes_back;
CREATE TRIGGER witnessed_never_goes_back BEFORE UPDATE ON witnessed
WHEN NEW.generation < OLD.generation OR (NEW.generation = OLD.generation AND NEW.size <= OLD.size)
  OR (NEW.generation > OLD.generation AND NOT EXISTS (SELECT 1 FROM declaration
    WHERE station = NEW.station AND generation = NEW.generation AND accepted = 1))
BEGIN SELECT RAISE(ABORT, 'a witness never goes back'); END;

-- The recovery under way, or the last one: from which log, and how far each neighbour has told.
CREATE TABLE recovery (
  number INTEGER PRIMARY KEY,
  state TEXT NOT NULL CHECK (state = 'rebuilding' OR state = 'done'),
  kept_size INTEGER NOT NULL CHECK (kept_size >= 0),
  kept_root BLOB NOT NULL CHECK (length(kept_root) = 32),
  -- Unix seconds: neighbours tell what they have stored or decided from then on.
  since INTEGER NOT NULL,
  begun_ms INTEGER NOT NULL,
  done_ms INTEGER,
  CHECK ((done_ms IS NOT NULL) = (state = 'done'))
) STRICT;
CREATE UNIQUE INDEX recovery_one_open ON recovery (state) WHERE state = 'rebuilding';
CREATE TABLE recovery_peer (
  recovery INTEGER NOT NULL REFERENCES recovery (number),
  peer TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state = 'asking' OR state = 'answered' OR state = 'left-out'),
  cursor INTEGER NOT NULL DEFAULT 0,
  shown INTEGER NOT NULL DEFAULT 0,
  restored INTEGER NOT NULL DEFAULT 0,
  verdicts INTEGER NOT NULL DEFAULT 0,
  refused INTEGER NOT NULL DEFAULT 0,
  contradictions INTEGER NOT NULL DEFAULT 0,
  -- Why the last one was refused, for the operator.
  trouble TEXT,
  PRIMARY KEY (recovery, peer)
) STRICT, WITHOUT ROWID;

-- Payments that are here because a neighbour showed them.
CREATE TABLE restored_payment (
  number INTEGER PRIMARY KEY REFERENCES payment (number)
) STRICT;
-- At the last station, payments that books which are lost may have decided: only the payee's card knows.
CREATE TABLE doubtful_payment (
  number INTEGER PRIMARY KEY REFERENCES payment (number)
) STRICT;
