-- One announcement each half minute: those that no bill names are forgotten. Whether one of before was named, nobody knows: it stays.
ALTER TABLE own_announcement ADD COLUMN time INTEGER NOT NULL DEFAULT 0;
ALTER TABLE own_announcement ADD COLUMN used INTEGER NOT NULL DEFAULT 1 CHECK (used = 0 OR used = 1);
CREATE INDEX own_announcement_unused ON own_announcement (time) WHERE used = 0;
