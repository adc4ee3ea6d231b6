-- Schema 4. Frozen. Runs are found by name without reading all, and pages of
-- the usual list without reading the pages before.
CREATE INDEX run_name ON run (name);
CREATE INDEX run_listed ON run (started) WHERE deleted IS NULL AND archived IS NULL;
