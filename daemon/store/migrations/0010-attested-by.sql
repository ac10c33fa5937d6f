-- Which maker's root certified the key that a card attested at enrolment: SHA-256 of the certificate.
ALTER TABLE card ADD COLUMN attested_by BLOB CHECK (length(attested_by) = 32);
