-- How far each issuer is trusted (I8): our lines on its payments, from when we hold them until they are
-- undelivered or paid. One row an issuer, written once a batch.
CREATE TABLE position (
  issuer TEXT PRIMARY KEY,
  amount INTEGER NOT NULL CHECK (amount >= 0),
  -- The limit that held when it last rose.
  most INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- A limit that was lowered since refuses more, and never what is given back.
CREATE TRIGGER position_within_limit BEFORE UPDATE OF amount ON position
WHEN NEW.amount > OLD.amount AND NEW.amount > NEW.most
BEGIN SELECT RAISE(ABORT, 'a position beyond its limit'); END;

INSERT INTO position (issuer, amount, most)
SELECT issuer, sum(amount), 0 FROM (
  SELECT issuer, fee AS amount FROM payment WHERE role <> 'issuer' AND decided_ms IS NULL
  UNION ALL
  SELECT substr(name, 12), debits - credits FROM account WHERE name LIKE 'receivable:%'
) GROUP BY issuer;
