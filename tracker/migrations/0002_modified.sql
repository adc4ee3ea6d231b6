-- Schema 2. Frozen. When a run was last changed decides which of two copies
-- is merged into the other.
ALTER TABLE run ADD COLUMN modified INTEGER NOT NULL DEFAULT 0;
UPDATE run SET modified = coalesce(ended, started);
