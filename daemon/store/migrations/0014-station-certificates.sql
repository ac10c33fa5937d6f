-- Coin and document certificates of stations, our own included, for ever: what they vouched for is verified with them
-- long after their stations use others.
CREATE TABLE station_certificate (
  number INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  station TEXT NOT NULL,
  certificate BLOB NOT NULL
) STRICT;
CREATE TRIGGER station_certificate_is_never_changed BEFORE UPDATE ON station_certificate
BEGIN SELECT RAISE(ABORT, 'a certificate of a station is never changed'); END;
CREATE TRIGGER station_certificate_is_never_deleted BEFORE DELETE ON station_certificate
BEGIN SELECT RAISE(ABORT, 'a certificate of a station is never deleted'); END;

-- The document key of this station that the card's profile holds; unknown until it is put there again.
ALTER TABLE card ADD COLUMN station_key BLOB CHECK (length(station_key) = 65);
