package track

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"patchlab/kernel/cell/wire"
)

// client is a connection to the front. It ends with the cell's process, and what was written into it until then is
// taken in.
type client struct {
	mu   sync.Mutex // one request at a time, with its reply
	conn *os.File
	r    *json.Decoder
	w    *bufio.Writer
}

func dial() (*client, error) {
	path, err := socket()
	if err != nil {
		return nil, err
	}
	conn, err := connect(path)
	if err != nil {
		return nil, fmt.Errorf("reaching the kernel at %s: %w", path, err)
	}
	return &client{conn: conn, r: json.NewDecoder(bufio.NewReader(conn)), w: bufio.NewWriter(conn)}, nil
}

// connect is net.Dial for a Unix socket. Package net has cells linked with cgo, which takes them half a second longer.
func connect(path string) (*os.File, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(fd)
	for err = syscall.EINTR; err == syscall.EINTR; {
		err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: path})
	}
	if err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

func (c *client) close() { c.conn.Close() }

// tell sends what is not answered.
func (c *client) tell(q wire.Request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.send(q)
}

// send writes a request whole, as the process may end at any time; c.mu must be held.
func (c *client) send(q wire.Request) error {
	line, err := json.Marshal(q)
	if err != nil {
		return err
	}
	_, writing := c.w.Write(append(line, '\n'))
	return errors.Join(writing, c.w.Flush())
}

// ask sends a request, the bytes that follow it, and waits for the reply.
func (c *client) ask(q wire.Request, body io.Reader) (reply wire.Reply, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.send(q); err != nil {
		return reply, err
	}
	if body != nil {
		if _, err := io.CopyN(c.w, body, q.Size); err != nil {
			c.conn.Close() // the front waits for the rest
			return reply, err
		}
		if err := c.w.Flush(); err != nil {
			return reply, err
		}
	}
	if err := c.r.Decode(&reply); err != nil {
		return reply, fmt.Errorf("the kernel does not answer: %w", err)
	}
	if reply.Error != "" {
		return reply, errors.New(reply.Error)
	}
	return reply, nil
}
