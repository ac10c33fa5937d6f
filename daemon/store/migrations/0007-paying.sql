-- Quotes that the card was told to pay, until their payment is stored or the card is known to have
-- signed nothing for them. Few at any time.
CREATE TABLE paying (
  quote_digest BLOB PRIMARY KEY CHECK (length(quote_digest) = 32),
  payer TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX paying_of_payer ON paying (payer);
