package tracker

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-sqlite3"
	"github.com/oklog/ulid/v2"
)

// DB is an open tracking database. All its methods, and those of its runs, may
// be called from several goroutines; several processes may have one file open.
type DB struct {
	path     string
	readOnly bool
	now      func() time.Time
	entropy  *ulid.LockedMonotonicReader

	writer  *sql.DB // one connection: the process's place in the queue of writers
	readers *sql.DB
	names   keyNames
	host    process
	codecs  sync.Pool // of *codec, for readers

	queue *queue
	keys  keyIDs // the queue's
	codec *codec // the queue's

	mu   sync.Mutex
	open map[int64]*Run // runs that this process writes, by internal key
	lost []*Run         // runs that took no more points

	folderSynced bool // the artifact folder's name is durable
}

// Option changes how Open opens.
type Option func(*DB)

// ReadOnly opens a database that must exist, for reading only.
func ReadOnly() Option { return func(db *DB) { db.readOnly = true } }

// WithClock replaces the clock, which is time.Now. Several goroutines ask it.
func WithClock(now func() time.Time) Option { return func(db *DB) { db.now = now } }

// Open opens the database at path, creates it where it does not exist and
// brings an older schema up to date. Artifacts live beside it: those of X.db
// in the folder X.artifacts, those of a file of any other NAME in NAME-artifacts.
func Open(path string, opts ...Option) (*DB, error) {
	db := &DB{path: path, now: time.Now, open: map[int64]*Run{}, keys: keyIDs{}, codec: newCodec(), host: thisProcess()}
	db.entropy = &ulid.LockedMonotonicReader{MonotonicReader: ulid.Monotonic(rand.Reader, 0)}
	db.codecs.New = func() any { return newCodec() }
	for _, opt := range opts {
		opt(db)
	}
	if err := db.connect(context.Background()); err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, explainOpening(path, db.readOnly, err))
	}
	if !db.readOnly {
		db.queue = newQueue(db)
	}
	return db, nil
}

func (db *DB) connect(ctx context.Context) (err error) {
	if err := db.checkFile(); err != nil {
		return err
	}
	scripts, err := migrations()
	if err != nil {
		return err
	}
	mode := "rw"
	if db.readOnly {
		mode = "ro"
	} else {
		db.writer = openPool(db.path, "rwc", "&_txlock=immediate")
		db.writer.SetMaxOpenConns(1)
		defer func() {
			if err != nil {
				db.writer.Close()
			}
		}()
		if err := enterWAL(ctx, db.writer, len(scripts)); err != nil {
			return err
		}
		if err := migrate(ctx, db.writer, scripts); err != nil {
			return err
		}
	}
	db.readers = openPool(db.path, mode, "&_query_only=1")
	if db.readOnly && db.settled() {
		db.readers.Close()
		db.readers = openPool(db.path, mode, "&_query_only=1&immutable=1")
	}
	db.readers.SetMaxOpenConns(4)
	db.readers.SetMaxIdleConns(4)
	version, err := schemaVersion(ctx, db.readers, len(scripts))
	if err == nil && version < len(scripts) {
		err = fmt.Errorf("it has schema %d and this program reads schema %d: any command that writes, such as `patchlab runs tag`, upgrades it",
			version, len(scripts))
		if version == 0 {
			err = errors.New("it is empty, not a tracker database")
		}
	}
	if err != nil {
		db.readers.Close()
	}
	return err
}

// checkFile turns the usual mistakes into sentences before SQLite sees them.
func (db *DB) checkFile() error {
	info, err := os.Stat(db.path)
	switch {
	case errors.Is(err, os.ErrNotExist) && db.readOnly:
		return errors.New("there is no such file")
	case errors.Is(err, os.ErrNotExist):
		if folder, err := os.Stat(filepath.Dir(db.path)); err != nil || !folder.IsDir() {
			return fmt.Errorf("the folder %s does not exist", filepath.Dir(db.path))
		}
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("it is a folder, not a database file")
	}
	return nil
}

// settled tells whether the file lies where nothing can be written, as on a
// read-only medium, and has no log beside it: then SQLite must be told that
// nobody changes it, for it cannot make the files by which it would notice.
func (db *DB) settled() bool {
	err := db.readers.Ping()
	if err == nil {
		_, err = schemaVersion(context.Background(), db.readers, math.MaxInt)
	}
	if !hasCode(err, sqlite3.ErrCantOpen) && !hasCode(err, sqlite3.ErrReadonly) {
		return false
	}
	log, err := os.Stat(db.path + "-wal")
	return errors.Is(err, os.ErrNotExist) || err == nil && log.Size() == 0
}

// openPool opens SQLite connections that wait for each other up to 30 seconds
// and that make each commit durable before it returns.
func openPool(path, mode, more string) *sql.DB {
	escape := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23")
	dsn := "file:" + escape.Replace(path) + "?mode=" + mode +
		"&_busy_timeout=30000&_synchronous=FULL&_foreign_keys=1&_cache_size=-16000&_stmt_cache_size=64" + more
	return sql.OpenDB(connector{dsn})
}

// connector opens connections by SQLite's driver without its global registry.
type connector struct{ dsn string }

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.Driver().Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return &sqlite3.SQLiteDriver{} }

// enterWAL switches a new file of ours to the write-ahead log. SQLite does not
// wait for other processes here, so this does.
func enterWAL(ctx context.Context, db *sql.DB, newest int) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		var mode string
		_, err := schemaVersion(ctx, db, newest) // a file of another program stays as it is
		if err == nil {
			err = db.QueryRowContext(ctx, `PRAGMA journal_mode`).Scan(&mode)
		}
		if err == nil && mode != "wal" {
			_, err = db.ExecContext(ctx, `PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL`)
		}
		if err == nil {
			_, err = db.ExecContext(ctx, `PRAGMA wal_autocheckpoint = 10000; PRAGMA journal_size_limit = 67108864`)
		}
		if !isBusy(err) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Close writes what is queued and closes the file. Runs that were not finished
// show as crashed afterwards and can be resumed.
func (db *DB) Close() error {
	var err error
	if db.queue != nil {
		if err = db.queue.close(); err == nil {
			err = db.release()
		} else {
			_ = db.release() // what kept the values from the disk keeps this too, and is said once
		}
		err = errors.Join(err, db.untold(), db.writer.Close())
	}
	return errors.Join(err, db.readers.Close())
}

// update is transact for a caller who hears of a full disk by its error.
func (db *DB) update(ctx context.Context, fn func(*sql.Tx) error) error {
	err := db.transact(ctx, fn)
	if hasCode(err, sqlite3.ErrFull) && db.queue != nil {
		db.queue.tell()
	}
	return err
}

// transact runs fn in one transaction that holds the write lock from its start.
func (db *DB) transact(ctx context.Context, fn func(*sql.Tx) error) error {
	if db.readOnly {
		return ErrReadOnly
	}
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return explain(err)
	}
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return explain(err)
	}
	return explain(tx.Commit())
}

// chooseID makes a ULID, sortable by time and unique across machines, or
// checks a given one.
func (db *DB) chooseID(given string) (string, error) {
	if given != "" {
		return given, checkID(given)
	}
	id, err := ulid.New(ulid.Timestamp(db.now()), db.entropy)
	return id.String(), err
}

func checkID(id string) error {
	if parsed, err := ulid.ParseStrict(id); err != nil || parsed.String() != id {
		return fmt.Errorf("the ID %q is not a ULID of 26 characters such as 01JD8ZK3T5WXYZ0123456789AB", id)
	}
	return nil
}
