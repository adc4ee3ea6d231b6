package zmtp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The bits of a frame's first byte.
const (
	flagMore    = 1
	flagLong    = 2
	flagCommand = 4
)

// maxFrames bounds the frames of one message.
const maxFrames = 1024

// ErrTooLarge says that a peer announced more than the limit.
var ErrTooLarge = errors.New("zmtp: message too large")

// readFrame reads one frame whose body has at most limit bytes.
func readFrame(r *bufio.Reader, limit int64) (flags byte, body []byte, err error) {
	if flags, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	if flags&^(flagMore|flagLong|flagCommand) != 0 || flags&flagCommand != 0 && flags&flagMore != 0 {
		return 0, nil, fmt.Errorf("zmtp: frame flags %#x", flags)
	}
	var size uint64
	if flags&flagLong != 0 {
		var b [8]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return 0, nil, unexpected(err)
		}
		size = binary.BigEndian.Uint64(b[:])
	} else {
		b, err := r.ReadByte()
		if err != nil {
			return 0, nil, unexpected(err)
		}
		size = uint64(b)
	}
	if size > uint64(limit) {
		return 0, nil, fmt.Errorf("%w: a frame of %d bytes, %d are allowed", ErrTooLarge, size, limit)
	}
	if size <= 1<<16 {
		body = make([]byte, size)
		_, err = io.ReadFull(r, body)
		return flags, body, unexpected(err)
	}
	var b bytes.Buffer // grows with what arrives
	if _, err := io.CopyN(&b, r, int64(size)); err != nil {
		return 0, nil, unexpected(err)
	}
	return flags, b.Bytes(), nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readMessage reads the next message, or the next command (frames nil).
func readMessage(r *bufio.Reader, limit int64) (frames [][]byte, command []byte, err error) {
	for {
		flags, body, err := readFrame(r, limit)
		if err != nil {
			if len(frames) > 0 {
				err = unexpected(err)
			}
			return nil, nil, err
		}
		if flags&flagCommand != 0 {
			if len(frames) > 0 {
				return nil, nil, errors.New("zmtp: a command within a message")
			}
			return nil, body, nil
		}
		limit -= int64(len(body))
		frames = append(frames, body)
		if flags&flagMore == 0 {
			return frames, nil, nil
		}
		if len(frames) == maxFrames {
			return nil, nil, fmt.Errorf("%w: more than %d frames", ErrTooLarge, maxFrames)
		}
	}
}

// writeFrame writes one frame.
func writeFrame(w *bufio.Writer, flags byte, body []byte) error {
	var head [9]byte
	n := 2
	if len(body) > 255 {
		flags |= flagLong
		binary.BigEndian.PutUint64(head[1:], uint64(len(body)))
		n = 9
	} else {
		head[1] = byte(len(body))
	}
	head[0] = flags
	if _, err := w.Write(head[:n]); err != nil {
		return err
	}
	_, err := w.Write(body)
	return err
}

// writeMessage writes all frames of a message.
func writeMessage(w *bufio.Writer, frames [][]byte) error {
	for i, f := range frames {
		var flags byte
		if i < len(frames)-1 {
			flags = flagMore
		}
		if err := writeFrame(w, flags, f); err != nil {
			return err
		}
	}
	return nil
}

// command returns a command's body: its name and its data.
func command(name string, data []byte) []byte {
	return append(append([]byte{byte(len(name))}, name...), data...)
}

// splitCommand is the reverse of command.
func splitCommand(body []byte) (name string, data []byte, err error) {
	if len(body) == 0 || len(body) < 1+int(body[0]) {
		return "", nil, errors.New("zmtp: a command without a name")
	}
	n := 1 + int(body[0])
	return string(body[1:n]), body[n:], nil
}
