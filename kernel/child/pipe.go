package child

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"patchlab/kernel/message"
)

// maxLine bounds a message that a cell writes into the pipe.
const maxLine = 128 << 20

// cellTypes are the messages that cells may publish.
var cellTypes = [...]string{
	message.TypeDisplayData, message.TypeUpdateDisplayData, message.TypeExecuteResult, message.TypeClearOutput, message.TypeStream,
}

func makePipe(path string) error {
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return fmt.Errorf("making a pipe at %s: %w", path, err)
	}
	return nil
}

// cellPipe reads what cells write. It holds both ends, so that the pipe outlives each cell.
type cellPipe struct {
	file *os.File
	ack  *os.File
	logf func(string, ...any)
	done chan struct{}

	mu    sync.Mutex
	next  int
	marks map[int]chan struct{}
}

func openPipe(path string, publish func(kind string, content json.RawMessage), logf func(string, ...any)) (*cellPipe, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the cells' pipe: %w", err)
	}
	ack, err := os.OpenFile(path+".ack", os.O_RDWR, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the cells' pipe: %w", err), f.Close())
	}
	p := &cellPipe{file: f, ack: ack, logf: logf, done: make(chan struct{}), marks: map[int]chan struct{}{}}
	go p.read(publish)
	return p, nil
}

// cellLine is a line in the pipe: a cell's message, or our own mark.
type cellLine struct {
	Type    string          `json:"msg_type"`
	Content json.RawMessage `json:"content"`
}

func (p *cellPipe) read(publish func(string, json.RawMessage)) {
	defer close(p.done)
	r := bufio.NewReaderSize(p.file, 1<<16)
	for {
		text, err := readLine(r)
		if err != nil {
			return
		}
		if text == nil {
			p.logf("a cell wrote a message of more than %d bytes; it is dropped", maxLine)
			continue
		}
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		if mark, ok := bytes.CutPrefix(text, []byte("mark ")); ok {
			n, _ := strconv.Atoi(string(mark))
			p.mu.Lock()
			if c := p.marks[n]; c != nil {
				delete(p.marks, n)
				close(c)
			}
			p.mu.Unlock()
			continue
		}
		l, err := parseLine(text)
		if err != nil {
			p.logf("a cell wrote no message: %v", err)
			continue
		}
		publish(l.Type, l.Content)
		p.acknowledge()
	}
}

// acknowledge tells the cell that a message is published. Cells need not read it, and the pipe may be full.
func (p *cellPipe) acknowledge() {
	p.ack.SetWriteDeadline(time.Now().Add(5 * time.Millisecond))
	p.ack.Write([]byte{'.'})
}

// forget takes away what an earlier cell did not read.
func (p *cellPipe) forget() {
	var b [4096]byte
	for {
		p.ack.SetReadDeadline(time.Now().Add(time.Millisecond))
		if n, err := p.ack.Read(b[:]); err != nil || n < len(b) {
			return
		}
	}
}

func parseLine(text []byte) (l cellLine, err error) {
	if err := json.Unmarshal(text, &l); err != nil {
		return l, fmt.Errorf("%w in %.60q", err, text)
	}
	for _, t := range cellTypes {
		if l.Type == t && len(l.Content) > 0 && l.Content[0] == '{' {
			return l, nil
		}
	}
	return l, fmt.Errorf("msg_type %.40q, allowed are %v, with an object as content", l.Type, cellTypes)
}

// readLine returns the next line; nil where it is longer than maxLine.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, tooLong := []byte{}, false
	for {
		part, err := r.ReadSlice('\n')
		if !tooLong {
			line = append(line, part...)
			tooLong = len(line) > maxLine
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil {
			return nil, err
		}
		if tooLong {
			return nil, nil
		}
		return line, nil
	}
}

// drain returns when all that was in the pipe has been published.
func (p *cellPipe) drain() {
	c := make(chan struct{})
	p.mu.Lock()
	p.next++
	p.marks[p.next] = c
	text := fmt.Sprintf("\nmark %d\n", p.next) // a cell that was killed may have left half a line
	p.mu.Unlock()
	if _, err := io.WriteString(p.file, text); err != nil {
		return
	}
	select {
	case <-c:
	case <-p.done:
	}
}

func (p *cellPipe) close() {
	p.file.Close()
	<-p.done
	p.ack.Close()
}
