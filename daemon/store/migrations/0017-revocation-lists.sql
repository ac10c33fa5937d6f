-- Every list of revoked certificates that payments were judged by, and from when on (failure 34): evidence, for ever.
CREATE TABLE revocation_list (
  number INTEGER PRIMARY KEY,
  digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
  since_ms INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
CREATE TRIGGER revocation_list_is_never_changed BEFORE UPDATE ON revocation_list
BEGIN SELECT RAISE(ABORT, 'a list that was judged by is never changed'); END;
CREATE TRIGGER revocation_list_is_never_deleted BEFORE DELETE ON revocation_list
BEGIN SELECT RAISE(ABORT, 'a list that was judged by is never deleted'); END;
