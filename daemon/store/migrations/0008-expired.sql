-- Expired coins that may still lie on their card, until the card has erased them.
CREATE TABLE expired_on_card (
  coin_id BLOB PRIMARY KEY CHECK (length(coin_id) = 16),
  owner TEXT NOT NULL REFERENCES user (name)
) STRICT, WITHOUT ROWID;
CREATE INDEX expired_of_owner ON expired_on_card (owner);
INSERT INTO expired_on_card (coin_id, owner) SELECT coin_id, owner FROM coin WHERE state = 'expired';
