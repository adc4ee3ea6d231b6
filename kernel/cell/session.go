package cell

import (
	"errors"
	"os"
	"path/filepath"
)

// Session is the environment variable that holds the path of the session's folder. The front makes the folder, owns
// it and removes it.
const Session = "PATCHLAB_SESSION"

// Kept is the environment variable that names a folder for kept values, where they are to outlive the session: those of
// a notebook's run that failed and is to go on.
const Kept = "PATCHLAB_VALUES"

// gonbFolder is the environment variable by which GoNB names its temporary folder, which lives as long as its kernel.
const gonbFolder = "GONB_TMP_DIR"

// What lies in the folder of a session.
const (
	Values  = "values"      // folder of kept values
	Journal = "cells.jsonl" // what was executed: one record.Cell in JSON a line
	Socket  = "track.sock"  // where track speaks to the front
)

// ErrNoSession is what Folder returns in a program that no kernel started.
var ErrNoSession = errors.New("this program runs in no kernel session (" + Session + " is not set)")

// Folder returns the folder of the kernel session that this program is a cell of. Under GoNB without Patchlab's front
// it is a folder in GoNB's own; elsewhere the error is ErrNoSession.
func Folder() (string, error) {
	if folder := os.Getenv(Session); folder != "" {
		return folder, nil
	}
	if folder := os.Getenv(gonbFolder); folder != "" {
		return filepath.Join(folder, ".patchlab"), nil
	}
	return "", ErrNoSession
}

// ValuesFolder returns the folder of kept values.
func ValuesFolder() (string, error) {
	if folder := os.Getenv(Kept); folder != "" {
		return folder, nil
	}
	session, err := Folder()
	return filepath.Join(session, Values), err
}
