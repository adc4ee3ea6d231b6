package show

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// pipeVariable names the pipe into which cells write messages for the kernel's front: a JSON object a line, with the
// type and the content of a message of Jupyter's protocol.
const pipeVariable = "PATCHLAB_CELL_PIPE"

// ackVariable names the pipe from which a cell reads a byte for each message that the front has published.
const ackVariable = "PATCHLAB_CELL_ACK"

// ackTime is how long a cell waits for that byte before it goes on without.
const ackTime = 2 * time.Second

// Types of messages, as the protocol names them.
const (
	displayData = "display_data"
	updateData  = "update_display_data"
	result      = "execute_result"
)

type message struct {
	Type    string  `json:"msg_type"`
	Content content `json:"content"`
}

type content struct {
	Data      Bundle         `json:"data"`
	Metadata  map[string]any `json:"metadata"`
	Transient map[string]any `json:"transient,omitempty"`
}

// screen is where output goes: the pipe to the front, else standard output as text.
type screen struct {
	mu     sync.Mutex
	opened bool
	pipe   *os.File
	ack    *os.File // nil: what is shown may come after what is printed later
}

// out belongs to the process as its standard output does: messages of several goroutines must not be torn, so that one
// lock covers them all.
var out screen

// open returns the pipe; nil where there is none. s.mu must be held.
func (s *screen) open() *os.File {
	if s.opened {
		return s.pipe
	}
	s.opened = true
	path := os.Getenv(pipeVariable)
	if path == "" {
		return nil
	}
	// Without O_NONBLOCK it would wait for a front that has died.
	pipe, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		fmt.Fprintf(os.Stderr, "show: %v: showing text only\n", err)
		return nil
	}
	s.pipe = pipe
	if path := os.Getenv(ackVariable); path != "" {
		s.ack, _ = os.OpenFile(path, os.O_RDONLY, 0)
	}
	return pipe
}

// published waits until the front has published a message, so that what is printed next comes after it. s.mu must be
// held.
func (s *screen) published() {
	if s.ack == nil {
		return
	}
	err := s.ack.SetReadDeadline(time.Now().Add(ackTime))
	if err == nil {
		_, err = s.ack.Read(make([]byte, 1))
	}
	if err != nil {
		s.ack.Close()
		s.ack = nil
	}
}

// inNotebook tells whether a kernel shows what is sent.
func (s *screen) inNotebook() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open() != nil
}

// send sends a message, or prints its text where no kernel listens.
func (s *screen) send(kind string, c content) {
	if c.Metadata == nil {
		c.Metadata = map[string]any{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	pipe := s.open()
	if pipe == nil {
		if text, ok := c.Data[Text].(string); ok && text != "" {
			fmt.Println(strings.TrimSuffix(text, "\n"))
		}
		return
	}
	line, err := json.Marshal(message{kind, c})
	if err != nil {
		line, err = json.Marshal(message{kind, content{Data: Bundle{Text: fmt.Sprintf("cannot be shown: %v", err)}, Metadata: c.Metadata, Transient: c.Transient}})
	}
	if err == nil {
		// The kernel delivers what is longer than a page in parts, between which another writer's may come.
		_ = syscall.Flock(int(pipe.Fd()), syscall.LOCK_EX)
		_, err = pipe.Write(append(line, '\n'))
		_ = syscall.Flock(int(pipe.Fd()), syscall.LOCK_UN)
		if err == nil {
			s.published()
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "show: %v: showing text only\n", err)
		s.pipe = nil
	}
}

// newID names an area of output that is replaced in place.
func newID() string { return fmt.Sprintf("patchlab-%016x", rand.Uint64()) }
