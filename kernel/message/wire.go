package message

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Delimiter is the frame between the identities and the signature.
const Delimiter = "<IDS|MSG>"

// ErrSignature says that a message was not signed with the key.
var ErrSignature = errors.New("message: the signature does not fit the key")

// FormatError says what is wrong with the frames of a message whose signature fits, or that has no place for one.
type FormatError struct {
	Part   string // "frames", "header", "parent header", "metadata" or "content"
	Reason string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("message: malformed %s: %s", e.Part, e.Reason)
}

// Key signs and checks messages. The empty key neither signs nor checks.
type Key []byte

// sign returns the hexadecimal signature of the JSON frames.
func (k Key) sign(parts [][]byte) []byte {
	if len(k) == 0 {
		return []byte{}
	}
	mac := hmac.New(sha256.New, k)
	for _, p := range parts {
		mac.Write(p)
	}
	return hex.AppendEncode(nil, mac.Sum(nil))
}

// Encode returns the signed frames of a message. They share memory with it.
func (k Key) Encode(m *Message) ([][]byte, error) {
	header, err := marshal(m.Header)
	if err != nil {
		return nil, fmt.Errorf("encoding the header of a %s: %w", m.Header.Type, err)
	}
	parent := json.RawMessage("{}")
	if m.Parent.ID != "" {
		if parent, err = marshal(m.Parent); err != nil {
			return nil, fmt.Errorf("encoding the parent header of a %s: %w", m.Header.Type, err)
		}
	}
	parts := [][]byte{header, parent, orEmpty(m.Metadata), orEmpty(m.Body)}
	frames := make([][]byte, 0, len(m.Identities)+6+len(m.Buffers))
	frames = append(frames, m.Identities...)
	frames = append(frames, []byte(Delimiter), k.sign(parts))
	frames = append(frames, parts...)
	return append(frames, m.Buffers...), nil
}

func orEmpty(object json.RawMessage) []byte {
	if len(object) == 0 {
		return []byte("{}")
	}
	return object
}

// Decode checks the signature of the frames and reads the message in them, which shares memory with them. Signatures
// are compared in constant time, before anything else is looked at.
//
// The error is ErrSignature or a *FormatError. Where only the parent header, metadata or content is malformed, the
// message comes with the error, holding the identities and the header, so that a kernel can answer it.
func (k Key) Decode(frames [][]byte) (*Message, error) {
	at := -1
	for i, f := range frames {
		if string(f) == Delimiter {
			at = i
			break
		}
	}
	if at < 0 {
		return nil, &FormatError{"frames", fmt.Sprintf("no delimiter %s in %d frames", Delimiter, len(frames))}
	}
	rest := frames[at+1:]
	if len(rest) < 5 {
		return nil, &FormatError{"frames", fmt.Sprintf("%d frames after the delimiter, at least 5 are needed", len(rest))}
	}
	parts := rest[1:5]
	if len(k) > 0 && !hmac.Equal(k.sign(parts), bytes.ToLower(rest[0])) {
		return nil, ErrSignature
	}
	m := &Message{Identities: frames[:at:at], Buffers: rest[5:]}
	if err := object("header", parts[0], &m.Header); err != nil {
		return nil, err
	}
	if m.Header.ID == "" || m.Header.Type == "" {
		return nil, &FormatError{"header", "no msg_id or no msg_type"}
	}
	if err := object("parent header", parts[1], &m.Parent); err != nil {
		return m, err
	}
	if err := object("metadata", parts[2], &m.Metadata); err != nil {
		return m, err
	}
	if err := object("content", parts[3], &m.Body); err != nil {
		return m, err
	}
	return m, nil
}

// object reads one frame, a JSON object in UTF-8.
func object(part string, frame []byte, into any) error {
	if !utf8.Valid(frame) {
		return &FormatError{part, "not UTF-8"}
	}
	if t := bytes.TrimLeft(frame, " \t\r\n"); len(t) == 0 || t[0] != '{' {
		return &FormatError{part, "not a JSON object"}
	}
	if err := json.Unmarshal(frame, into); err != nil {
		return &FormatError{part, err.Error()}
	}
	return nil
}

// NewID returns a random identifier in the form of a UUID (RFC 9562, version 4).
func NewID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
