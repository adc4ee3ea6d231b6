-- Schema 1. Frozen: a change of schema is a new file with the next number.
--
-- Integer keys inside, ULIDs outside, so that databases merge. Times are
-- microseconds since 1970 in UTC. Fields (params, tags, environment) are flat
-- JSON objects of strings, so that sqlite3's json_extract reads them.

CREATE TABLE experiment (
    id      INTEGER PRIMARY KEY,
    name    TEXT    NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    deleted INTEGER
) STRICT;

-- Where runs ran. Runs of one machine and one commit share a row.
CREATE TABLE environment (
    id     INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    fields TEXT NOT NULL
) STRICT;

CREATE TABLE run (
    id          INTEGER PRIMARY KEY,
    ulid        TEXT    NOT NULL UNIQUE,
    experiment  INTEGER NOT NULL REFERENCES experiment,
    environment INTEGER NOT NULL REFERENCES environment,
    name        TEXT    NOT NULL,
    parent      TEXT    NOT NULL DEFAULT '', -- a ULID; the parent may live in another file
    status      INTEGER NOT NULL,
    started     INTEGER NOT NULL,
    ended       INTEGER,
    archived    INTEGER,
    deleted     INTEGER,                     -- a tombstone until gc
    note        TEXT    NOT NULL DEFAULT '', -- Markdown
    params      TEXT    NOT NULL DEFAULT '{}',
    tags        TEXT    NOT NULL DEFAULT '{}',
    inputs      TEXT    NOT NULL DEFAULT '[]',
    metrics     BLOB    NOT NULL DEFAULT x'', -- latest, extremes and counts of each key; see summary.go
    points      BLOB,                        -- SHA-256 over every point, once ended
    digest      BLOB                         -- SHA-256 over the whole run, once ended
) STRICT;
CREATE INDEX run_started    ON run (started);
CREATE INDEX run_experiment ON run (experiment, started);
CREATE INDEX run_parent     ON run (parent) WHERE parent <> '';

-- Who writes a run: a row lives from Start or Resume to Finish.
CREATE TABLE writer (
    run     INTEGER PRIMARY KEY REFERENCES run ON DELETE CASCADE,
    host    TEXT    NOT NULL, -- host name, boot id and process namespace
    pid     INTEGER NOT NULL,
    began   INTEGER NOT NULL, -- the process's own start, in clock ticks since boot
    beat    INTEGER NOT NULL  -- the last sign of life
) STRICT;

CREATE TABLE key (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- Recent points: a row holds the points of one key that one transaction brought.
CREATE TABLE hot (
    run   INTEGER NOT NULL,
    key   INTEGER NOT NULL,
    seq   INTEGER NOT NULL, -- ordinal of its first point among the key's points
    count INTEGER NOT NULL,
    data  BLOB    NOT NULL,
    PRIMARY KEY (run, key, seq)
) STRICT, WITHOUT ROWID;

-- Sealed points, about 500 a row, compressed; see points.go.
CREATE TABLE chunk (
    id        INTEGER PRIMARY KEY,
    run       INTEGER NOT NULL,
    key       INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    count     INTEGER NOT NULL,
    nonfinite INTEGER NOT NULL, -- how many are NaN or infinite
    min       REAL,             -- over the finite values; NULL where there is none
    max       REAL,
    last      REAL,             -- NULL is NaN
    data      BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX chunk_place ON chunk (run, key, seq);

-- Artifacts: content lives in files named by its SHA-256 beside the database.
CREATE TABLE artifact (
    run     INTEGER NOT NULL,
    name    TEXT    NOT NULL,
    sha256  BLOB    NOT NULL,
    size    INTEGER NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX artifact_content ON artifact (sha256);
