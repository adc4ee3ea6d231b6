package main

import (
	"context"
	"os"
	"path/filepath"

	"patchlab/backend"
	"patchlab/kernel/cell/record"
	"patchlab/kernel/front"
	"patchlab/lab"
)

const (
	// sessionName is the environment variable by which Jupyter's server tells a kernel its notebook's file.
	sessionName = "JPY_SESSION_NAME"
	// envRerunOf tells a kernel which run its notebook is to repeat.
	envRerunOf = "PATCHLAB_RERUN_OF"
	// envFolder is what a notebook's run has in its environment: the folder in which its kernel was started.
	envFolder = "folder"
)

// observe has a session keep in folder what cells keep and track, and write their runs into the tracker's file: that of
// $PATCHLAB_DB, or patchlab.db in the notebook's folder, in which Jupyter starts its kernel.
func observe(folder string, options *front.Options, logf func(string, ...any)) (*record.Session, error) {
	database := os.Getenv(envDB)
	if database == "" {
		database = "patchlab.db"
	}
	if path, err := filepath.Abs(database); err == nil {
		database = path
	}
	notebook := os.Getenv(sessionName)
	if filepath.Ext(notebook) != ".ipynb" { // a console has no notebook
		notebook = ""
	}
	session, err := record.Open(record.Options{
		Folder: folder, Database: database, Notebook: notebook, RerunOf: os.Getenv(envRerunOf), Logf: logf,
		Environment: func(ctx context.Context) (map[string]string, []byte) {
			fields, diff := lab.Environment(ctx, backend.Info{})
			if dir, err := os.Getwd(); err == nil {
				fields[envFolder] = dir
			}
			return fields, diff
		},
	})
	if err != nil {
		return nil, err
	}
	options.Observer, options.Connect, options.Magic = session, session.Connect, record.Magic
	options.Child.Env = append(options.Child.Env, session.Environ()...)
	return session, nil
}
