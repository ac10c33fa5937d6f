-- SHA-256 of what never changes of a payment, for the leaf of its end: the payment itself need not be read for
-- that. Absent in payments stored before.
ALTER TABLE payment ADD COLUMN content_hash BLOB CHECK (length(content_hash) = 32);
