package assist

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxBody bounds a message of the server.
const maxBody = 256 << 20

// writeTime bounds how long the server may leave a message unread.
const writeTime = 5 * time.Second

// errGone says that the server has ended.
var errGone = errors.New("the language server has ended")

// rpc is one end of a connection that speaks JSON-RPC 2.0 as the Language Server Protocol frames it.
type rpc struct {
	ended chan struct{} // closed when nothing more is received

	writing sync.Mutex
	w       io.Writer

	mu      sync.Mutex
	next    int
	waiting map[int]chan rpcMessage
}

type rpcMessage struct {
	Version string           `json:"jsonrpc"`
	ID      *json.RawMessage `json:"id,omitempty"`
	Method  string           `json:"method,omitempty"`
	Params  any              `json:"params,omitempty"`
	Result  json.RawMessage  `json:"result,omitempty"`
	Error   *rpcError        `json:"error,omitempty"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// connect speaks to a server. Answer gives the results of its requests.
func connect(r io.Reader, w io.Writer, answer func(method string, params json.RawMessage) any) *rpc {
	c := &rpc{ended: make(chan struct{}), w: w, waiting: map[int]chan rpcMessage{}}
	go func() {
		defer close(c.ended)
		in := bufio.NewReader(r)
		for {
			body, err := readBody(in)
			if err != nil {
				return
			}
			c.receive(body, answer)
		}
	}()
	return c
}

func (c *rpc) receive(body []byte, answer func(string, json.RawMessage) any) {
	var m struct {
		rpcMessage
		Params json.RawMessage `json:"params"`
	}
	if json.Unmarshal(body, &m) != nil || m.ID == nil {
		return // a notification
	}
	if m.Method != "" {
		result, err := json.Marshal(answer(m.Method, m.Params))
		if err != nil {
			result = json.RawMessage("null")
		}
		c.write(rpcMessage{ID: m.ID, Result: result})
		return
	}
	id, err := strconv.Atoi(string(*m.ID))
	if err != nil {
		return
	}
	c.mu.Lock()
	to := c.waiting[id]
	delete(c.waiting, id)
	c.mu.Unlock()
	if to != nil {
		to <- m.rpcMessage
	}
}

// readBody reads one framed message.
func readBody(r *bufio.Reader) ([]byte, error) {
	size := -1
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			break
		}
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "Content-Length") {
			if size, err = strconv.Atoi(strings.TrimSpace(value)); err != nil || size < 0 || size > maxBody {
				return nil, fmt.Errorf("a message of %.20q bytes", value)
			}
		}
	}
	if size < 0 {
		return nil, errors.New("a message without a length")
	}
	body := make([]byte, size)
	_, err := io.ReadFull(r, body)
	return body, err
}

func (c *rpc) write(m rpcMessage) error {
	m.Version = "2.0"
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if pipe, ok := c.w.(interface{ SetWriteDeadline(time.Time) error }); ok { // a server that hangs does not read
		if err := pipe.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(c.w, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return err
}

func (c *rpc) notify(method string, params any) error {
	return c.write(rpcMessage{Method: method, Params: params})
}

// call sends a request and reads its result into a pointer, nil to drop it.
func (c *rpc) call(ctx context.Context, method string, params, result any) error {
	answer := make(chan rpcMessage, 1)
	c.mu.Lock()
	c.next++
	n := c.next
	c.waiting[n] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, n)
		c.mu.Unlock()
	}()
	id := json.RawMessage(strconv.Itoa(n))
	if err := c.write(rpcMessage{ID: &id, Method: method, Params: params}); err != nil {
		return fmt.Errorf("%s: %w: %w", method, errGone, err)
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			return fmt.Errorf("%s: the language server says: %s", method, m.Error.Message)
		}
		if result == nil || len(m.Result) == 0 {
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-c.ended:
		return fmt.Errorf("%s: %w", method, errGone)
	case <-ctx.Done():
		c.notify("$/cancelRequest", map[string]any{"id": n})
		return fmt.Errorf("%s: %w", method, context.Cause(ctx))
	}
}
