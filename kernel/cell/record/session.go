package record

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"patchlab/kernel/cell"
	"patchlab/kernel/message"
)

// Options say what a session is.
type Options struct {
	// Folder is made for the session and removed by Close. Its path is short, as sockets' paths may have about 100 bytes.
	Folder string
	// Database is the tracker's file, opened when a run begins.
	Database string
	// Notebook is the file that the cells are from, "" where nobody knows.
	Notebook string
	// RerunOf is the ID of the run that the session is to repeat, "" where it repeats none: its runs are that run's
	// children, and " again" is added to their names.
	RerunOf string
	// Environment says where a run is made: machine, versions, commit, and the uncommitted changes. nil: nothing is known.
	Environment func(context.Context) (fields map[string]string, diff []byte)
	// Logf is told what goes wrong where nobody else can be; nil: nobody is.
	Logf func(format string, args ...any)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Session is a kernel's session. Begin and End are called by one goroutine, the other methods by any.
type Session struct {
	options  Options
	listener net.Listener
	serving  sync.WaitGroup
	run      *runs

	mu      sync.Mutex
	changed sync.Cond // a connection has come or gone
	conns   map[net.Conn]bool
	served  int // requests
	closed  bool

	journal *os.File

	writing sync.Mutex
	cell    *Cell          // that runs; guarded by writing, as are its outputs
	size    int            // bytes of its outputs
	updates map[string]int // its outputs that stand for the latest picture of a display, by the display's ID
}

// Cell is an executed cell, a line of the session's journal.
type Cell struct {
	Count   int       `json:"count"`
	Source  string    `json:"source"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Status  string    `json:"status"` // ok, error or running
	Outputs []Message `json:"outputs"`
}

// Message is what a cell published.
type Message struct {
	Type    string          `json:"type"`
	Content json.RawMessage `json:"content"`
}

// maxOutputs bounds what is written down of a cell's outputs, in bytes.
const maxOutputs = 32 << 20

// Open begins a session.
func Open(o Options) (*Session, error) {
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Session{options: o, conns: map[net.Conn]bool{}}
	s.run = newRuns(o, s.Cells)
	s.changed.L = &s.mu
	if err := s.open(); err != nil {
		os.RemoveAll(o.Folder)
		return nil, fmt.Errorf("opening the session's folder: %w", err)
	}
	s.serving.Go(s.accept)
	return s, nil
}

func (s *Session) open() (err error) {
	if err := os.MkdirAll(filepath.Join(s.options.Folder, cell.Values), 0o700); err != nil {
		return err
	}
	s.journal, err = os.OpenFile(filepath.Join(s.options.Folder, cell.Journal), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	s.listener, err = net.Listen("unix", filepath.Join(s.options.Folder, cell.Socket))
	return err
}

// Environ is what cells need in their environment.
func (s *Session) Environ() []string { return []string{cell.Session + "=" + s.options.Folder} }

// Begin says that a cell begins to run.
func (s *Session) Begin(count int, source string) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.cell, s.size = &Cell{Count: count, Source: source, Started: s.options.Now().UTC(), Status: "running"}, 0
	s.updates = map[string]int{}
}

// Message says that the cell has published something.
func (s *Session) Message(kind string, content json.RawMessage) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.cell == nil {
		return
	}
	id := displayOf(kind, content)
	at, replaces := s.updates[id]
	replaces = replaces && kind == message.TypeUpdateDisplayData
	s.size += len(content)
	if replaces { // a bar or a curve changes for hours, and its last picture counts
		s.size -= len(s.cell.Outputs[at].Content)
	}
	if s.size > maxOutputs {
		return
	}
	m := Message{kind, append(json.RawMessage(nil), content...)}
	if replaces {
		s.cell.Outputs[at] = m
		return
	}
	s.cell.Outputs = append(s.cell.Outputs, m)
	switch {
	case id == "":
	case kind == message.TypeUpdateDisplayData:
		s.updates[id] = len(s.cell.Outputs) - 1
	default:
		delete(s.updates, id) // later updates are of this display
	}
}

// displayOf returns the ID of the display that a message shows or updates, "" where it has none.
func displayOf(kind string, content json.RawMessage) string {
	if kind != message.TypeDisplayData && kind != message.TypeExecuteResult && kind != message.TypeUpdateDisplayData {
		return ""
	}
	var c struct{ Transient message.Transient }
	if err := json.Unmarshal(content, &c); err != nil {
		return ""
	}
	return c.Transient.DisplayID
}

// End says that the cell has ended, well or not. It returns when all that the cell logged is in the tracker's file.
func (s *Session) End(ok bool) {
	s.drain()
	s.run.endCell() // its last picture is one of the cell's outputs
	s.writing.Lock()
	c, size := s.cell, s.size
	s.cell = nil
	s.writing.Unlock()
	if c == nil {
		return
	}
	c.Seconds = s.options.Now().Sub(c.Started).Seconds()
	c.Status = "ok"
	if !ok {
		c.Status = "error"
	}
	if size > maxOutputs {
		note, _ := json.Marshal(map[string]string{"name": "stderr", "text": fmt.Sprintf("\n(what came after %d MB of output was not recorded)\n", maxOutputs>>20)})
		c.Outputs = append(c.Outputs, Message{"stream", note})
	}
	line, err := json.Marshal(c)
	if err == nil {
		_, err = s.journal.Write(append(line, '\n'))
	}
	if err != nil {
		s.options.Logf("writing down a cell: %v", err)
	}
	if err := s.run.afterCell(ok); err != nil {
		s.options.Logf("%v", err)
	}
}

// Cells are the cells that were executed so far, from the first to the one that runs.
func (s *Session) Cells() ([]Cell, error) {
	// Not by its path: the kernel's folder may be gone by the time that the run ends.
	size, err := s.journal.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("reading the session's journal: %w", err)
	}
	var cells []Cell
	for d := json.NewDecoder(bufio.NewReaderSize(io.NewSectionReader(s.journal, 0, size), 1<<16)); ; {
		var c Cell
		err := d.Decode(&c)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return cells, fmt.Errorf("reading the session's journal: %w", err)
		}
		cells = append(cells, c)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.cell != nil {
		c := *s.cell
		c.Outputs = slices.Clone(c.Outputs)
		c.Seconds = s.options.Now().Sub(c.Started).Seconds()
		cells = append(cells, c)
	}
	return cells, nil
}

// Connect sets by what the session shows something below the cell that runs: publish is given a message's type and
// content. It is called before the first cell, or not at all.
func (s *Session) Connect(publish func(kind string, content any)) { s.run.publish = publish }

// Running returns the ID of the session's run; "" where it has none.
func (s *Session) Running() string { return s.run.reply(true).ID }

// Close ends the session: its run is finished, or failed where the last cell was, and its folder is removed with all
// that cells kept.
func (s *Session) Close() error {
	s.mu.Lock()
	s.closed = true
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.listener.Close()
	s.serving.Wait()
	err := s.run.close()
	return errors.Join(err, s.journal.Close(), os.RemoveAll(s.options.Folder))
}

// drainTime is how long the end of a cell waits for a connection on which nothing comes: of a program that the cell
// has left behind.
const drainTime = 2 * time.Second

// drain returns when all that the cell sent has been taken in: its connections end with it.
func (s *Session) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.conns) > 0 {
		before, late := s.served, false
		timer := time.AfterFunc(drainTime, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			late = true
			s.changed.Broadcast()
		})
		for len(s.conns) > 0 && !late {
			s.changed.Wait()
		}
		timer.Stop()
		if late && s.served == before {
			return
		}
	}
}
