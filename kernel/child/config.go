package child

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"

	"patchlab/kernel/message"
)

// CellPipe is the environment variable that names the pipe into which cells write messages.
const CellPipe = "PATCHLAB_CELL_PIPE"

// CellAck is the environment variable that names the pipe from which a cell may read one byte for each message that it
// wrote, once the message is published: what it prints afterwards then comes afterwards.
const CellAck = "PATCHLAB_CELL_ACK"

// Config says how GoNB is run.
type Config struct {
	// Tools is the folder with the programs gonb and goimports.
	Tools string
	// Module is the folder of the module whose packages cells import; empty: none, and GoNB fetches what cells import.
	Module string
	// Folder is a private folder, empty or absent, for sockets and temporary files; Close removes it. Its path is
	// short, as sockets' paths may have about 100 bytes.
	Folder string
	// KernelID is the name by which Jupyter's server knows the kernel; widgets need it.
	KernelID string
	// Env holds further variables ("NAME=value") for GoNB and the cells.
	Env []string
	// Log receives what GoNB logs; nil discards it.
	Log io.Writer
	// Late is given what GoNB and cells publish while no cell runs, such as messages of widgets; parent is the id of
	// the cell that they belong to (as Request.ID gave it), if it is known. It is called by one goroutine at a time.
	Late func(parent, kind string, content json.RawMessage)
	// Logf is told what is odd but harmless; nil: nobody is.
	Logf func(format string, args ...any)
}

// GoFlags returns the flags with which cells are built, so that others can fill Go's build cache for them: the user's,
// and those that make cells link fast, which leave out version control stamps, symbols and debug tables.
func GoFlags() string {
	flags := os.Getenv("GOFLAGS")
	if !strings.Contains(flags, "-buildvcs") {
		flags += " -buildvcs=false"
	}
	if !strings.Contains(flags, "-ldflags") {
		flags += ` '-ldflags=-s -w'`
	}
	return strings.TrimSpace(flags)
}

func (c Config) environ() []string {
	set := map[string]string{
		"PATH":    filepath.Join(c.Folder, "bin") + string(os.PathListSeparator) + c.Tools + string(os.PathListSeparator) + os.Getenv("PATH"),
		"TMPDIR":  c.temp(),
		"GOFLAGS": GoFlags(),
		CellPipe:  c.pipe(),
		CellAck:   c.pipe() + ".ack",
	}
	for _, e := range c.Env {
		name, value, _ := strings.Cut(e, "=")
		set[name] = value
	}
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if _, replaced := set[name]; !replaced {
			env = append(env, e)
		}
	}
	for name, value := range set {
		env = append(env, name+"="+value)
	}
	return env
}

func (c Config) temp() string { return filepath.Join(c.Folder, "tmp") }
func (c Config) pipe() string { return filepath.Join(c.Folder, "cell") }

// prepare makes the folder and what lies in it.
func (c Config) prepare() (message.Connection, string, error) {
	var none message.Connection
	for _, dir := range []string{c.Folder, c.temp(), filepath.Join(c.Folder, "bin")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return none, "", err
		}
	}
	// Names are completed elsewhere; without this, GoNB would start a language server that nobody asks.
	if err := os.WriteFile(filepath.Join(c.Folder, "bin", "gopls"), []byte("#!/bin/sh\nexit 0\n"), 0o700); err != nil {
		return none, "", err
	}
	for _, path := range []string{c.pipe(), c.pipe() + ".ack"} {
		if err := makePipe(path); err != nil {
			return none, "", err
		}
	}
	connection := message.NewIPC(c.Folder, "gonb")
	file := filepath.Join(c.Folder, "kernel-"+c.KernelID+".json")
	return connection, file, connection.Write(file)
}
