package record

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"patchlab/kernel/cell/wire"
)

// maxLine bounds a request, in bytes.
const maxLine = 16 << 20

func (s *Session) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				s.options.Logf("accepting a cell: %v", err)
			}
			return
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			conn.Close()
			continue
		}
		s.conns[conn] = true
		s.mu.Unlock()
		s.serving.Go(func() {
			if err := s.serve(conn); err != nil {
				s.options.Logf("a cell's connection: %v", err)
			}
			conn.Close()
			s.mu.Lock()
			delete(s.conns, conn)
			s.changed.Broadcast()
			s.mu.Unlock()
		})
	}
}

// serve answers one cell until it ends.
func (s *Session) serve(conn net.Conn) error {
	r := bufio.NewReaderSize(conn, 1<<16)
	w := json.NewEncoder(conn)
	var logging error // what went wrong with what needs no answer
	for {
		line, err := readLine(r)
		if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.served++
		s.mu.Unlock()
		var request wire.Request
		if err := json.Unmarshal(line, &request); err != nil {
			return fmt.Errorf("an unreadable request: %w", err)
		}
		if request.Op == wire.OpLog {
			if err := s.log(request); err != nil && logging == nil {
				logging = err
			}
			continue
		}
		body := io.LimitReader(r, request.Size)
		reply, err := s.answer(request, body)
		if _, skipped := io.Copy(io.Discard, body); skipped != nil { // what nobody wanted
			return skipped
		}
		if err = errors.Join(logging, err); err != nil {
			reply.Error = err.Error()
		}
		logging = nil
		if err := w.Encode(reply); err != nil {
			return err
		}
	}
}

func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err // half a line of a cell that was killed
		case len(line) > maxLine:
			return nil, fmt.Errorf("a request of more than %d bytes", maxLine)
		}
	}
}

func (s *Session) log(request wire.Request) error {
	values := make(map[string]float64, len(request.Values))
	for key, value := range request.Values {
		values[key] = float64(value)
	}
	return s.run.log(time.UnixMicro(request.Time), request.Step, values, request.Quiet)
}

func (s *Session) answer(q wire.Request, body io.Reader) (wire.Reply, error) {
	switch q.Op {
	case wire.OpStart:
		return s.run.start(q)
	case wire.OpResume:
		return s.run.resume(q.Name)
	case wire.OpFetch:
		path, err := s.run.fetch(q.Name, q.Text)
		return wire.Reply{Path: path}, err
	case wire.OpEnd:
		return wire.Reply{}, s.run.end(q.Text)
	case wire.OpStatus:
		return s.run.reply(true), nil
	}
	return wire.Reply{}, s.run.edit(q, body)
}
