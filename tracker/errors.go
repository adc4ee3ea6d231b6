package tracker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mattn/go-sqlite3"
)

// Errors that callers tell apart.
var (
	// ErrNotFound is wrapped where a run, metric or artifact does not exist.
	ErrNotFound = errors.New("not found")
	// ErrExists is wrapped where a name or an ID is taken.
	ErrExists = errors.New("there is one already")
	// ErrWriting is wrapped where a run is to be resumed that a living process writes.
	ErrWriting = errors.New("another process is writing it")
	// ErrFinished is wrapped where a finished run is written to.
	ErrFinished = errors.New("the run is finished")
	// ErrInvalid is wrapped where a name or a value is none that is kept, or that a parameter may still take.
	ErrInvalid = errors.New("not allowed")
	// ErrReadOnly is wrapped where a database that is open for reading is to be changed.
	ErrReadOnly = errors.New("the database is open for reading only")
)

var errForeign = errors.New("it is a SQLite database of another program")

// invalid is an error that wraps ErrInvalid without its words.
type invalid struct{ error }

func (invalid) Is(target error) bool { return target == ErrInvalid }

func invalidf(format string, args ...any) error { return invalid{fmt.Errorf(format, args...)} }

// explained is SQLite's error behind a sentence that says what it means here.
type explained struct {
	sentence string
	whole    bool // SQLite's words add nothing
	err      error
}

func (e *explained) Error() string {
	if e.whole {
		return e.sentence
	}
	return e.sentence + " (" + e.err.Error() + ")"
}
func (e *explained) Unwrap() error { return e.err }

func explain(err error) error {
	var done *explained
	if err == nil || errors.As(err, &done) {
		return err
	}
	var said string
	switch {
	case hasCode(err, sqlite3.ErrFull):
		return &explained{"the disk is full: what was flushed before is safe; free some space", true, err}
	case hasCode(err, sqlite3.ErrReadonly), hasCode(err, sqlite3.ErrPerm):
		said = "the file or its folder may not be written to"
	case hasCode(err, sqlite3.ErrCantOpen):
		said = "the file or its folder cannot be opened with these permissions"
	case hasCode(err, sqlite3.ErrNotADB):
		said = "it is not a patchlab database, or its first page is damaged"
	case hasCode(err, sqlite3.ErrCorrupt):
		said = "the file is damaged; copy it, then try `sqlite3 FILE .recover`"
	case isBusy(err):
		said = "another process held the write lock for 30 seconds"
	case hasCode(err, sqlite3.ErrIoErr):
		said = "the disk failed to read or write"
	default:
		return err
	}
	return &explained{said, false, err}
}

// explainOpening says what keeps SQLite from opening the file at path, where
// SQLite says only that it cannot.
func explainOpening(path string, readOnly bool, err error) error {
	if !hasCode(err, sqlite3.ErrCantOpen) {
		return explain(err)
	}
	folder := filepath.Dir(path)
	file, opening := os.Open(path)
	if opening == nil {
		file.Close()
	}
	said := "the folder " + folder + " may not be written to, so that the database can be read there but not changed"
	switch {
	case errors.Is(opening, fs.ErrPermission):
		said = "the file may not be read with your permissions"
	case errors.Is(opening, fs.ErrNotExist):
		said = "the database cannot be created, for the folder " + folder + " may not be written to"
	case readOnly:
		said = "the folder " + folder + " may not be written to, and the latest changes are still in " +
			filepath.Base(path) + "-wal: copy both files to a folder that you may write to"
	}
	return &explained{said, true, err}
}

// unwritten is what closing says of values that could not be stored. It does
// not repeat why: flushing and finishing a run have said so.
type unwritten struct {
	values uint64
	err    error
}

func (e *unwritten) Error() string {
	return fmt.Sprintf("closing the database: the last %d values logged could not be stored", e.values)
}
func (e *unwritten) Unwrap() error { return e.err }

func isBusy(err error) bool { return hasCode(err, sqlite3.ErrBusy) || hasCode(err, sqlite3.ErrLocked) }

func hasCode(err error, code sqlite3.ErrNo) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.Code == code
}
