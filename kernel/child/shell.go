package child

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"unicode/utf8"

	"patchlab/kernel/message"
)

// ShellStatus and ShellBackground begin a line for a shell. The first has the shell tell how it ends, which GoNB does not
// pass on. The second parts what the shell leaves running from GoNB, which otherwise waits until that ends, too; what it
// prints comes by pipes that belong to no cell.
const (
	ShellStatus     = `trap 'echo $? >"$` + CellPipe + `.exit"' EXIT; `
	ShellBackground = `exec >"$` + CellPipe + `.stdout" 2>"$` + CellPipe + `.stderr"; `
)

// streams are what a pipe for background processes may be.
var streams = [...]string{"stdout", "stderr"}

// takeExit returns how the shell of the last line ended, and "" where it did not tell, as one that was killed.
func (c *Child) takeExit() string {
	path := c.config.pipe() + ".exit"
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	if err := os.Remove(path); err != nil {
		c.config.Logf("removing a shell's exit status: %v", err)
	}
	return strings.TrimSpace(string(text))
}

// background reads what processes in the background print. It holds both ends, so that the pipe outlives each process.
type background struct {
	file    *os.File
	raw     syscall.RawConn
	publish func(text string)
	done    chan struct{}

	mu   sync.Mutex // held while something is read and published
	half []byte     // of a character
	data [pipeSize]byte
}

// pipeSize is how much a pipe holds.
const pipeSize = 1 << 16

func openBackground(path string, publish func(text string)) (*background, error) {
	if err := makePipe(path); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("opening a pipe for background processes: %w", err)
	}
	b := &background{file: file, publish: publish, done: make(chan struct{})}
	if b.raw, err = file.SyscallConn(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	go func() {
		defer close(b.done)
		for b.raw.Read(func(fd uintptr) bool { return b.take(fd) > 0 }) == nil {
		}
	}()
	return b, nil
}

// take publishes what is in the pipe and returns how many bytes that were.
func (b *background) take(fd uintptr) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := syscall.Read(int(fd), b.data[:])
	if err != nil || n <= 0 {
		return 0
	}
	text := append(b.half, b.data[:n]...)
	whole := len(text)
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ { // a character may come in two parts
		if last := text[len(text)-i:]; utf8.RuneStart(last[0]) && !utf8.FullRune(last) {
			whole = len(text) - i
		}
	}
	b.publish(string(text[:whole]))
	b.half = append([]byte(nil), text[whole:]...)
	return n
}

// drain returns when all that was in the pipe has been published.
func (b *background) drain() {
	b.raw.Control(func(fd uintptr) {
		for taken := 0; taken < pipeSize; { // a process may write on without end
			n := b.take(fd)
			if n == 0 {
				return
			}
			taken += n
		}
	})
}

func (b *background) close() {
	b.file.Close()
	<-b.done
}

// backgroundText publishes what a process in the background printed, for the cell that began the last one.
func (c *Child) backgroundText(stream, text string) {
	content, err := json.Marshal(message.Stream{Name: stream, Text: text})
	if err != nil {
		return
	}
	c.mu.Lock()
	r, owner := c.current, c.owner
	c.mu.Unlock()
	if r != nil && r.request.ID == owner {
		r.publish(message.TypeStream, content)
		return
	}
	c.late.Lock()
	defer c.late.Unlock()
	c.config.Late(owner, message.TypeStream, content)
}
