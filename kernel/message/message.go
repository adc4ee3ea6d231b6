package message

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Version is the protocol version that this package speaks.
const Version = "5.4"

// Header says what a message is. Date is ISO 8601 with a time zone, as it came over the wire.
type Header struct {
	ID       string `json:"msg_id"`
	Session  string `json:"session"`
	Username string `json:"username"`
	Date     string `json:"date"`
	Type     string `json:"msg_type"`
	Version  string `json:"version"`
	Subshell string `json:"subshell_id,omitempty"`
}

// Message is one message of any type. Its content is kept as JSON: Content reads and SetContent writes the struct that
// belongs to the type.
type Message struct {
	// Identities come before the delimiter: the route back to a client on ROUTER sockets, one topic on PUB sockets.
	Identities [][]byte
	Header     Header
	// Parent is the header of the message that caused this one; its ID is empty where there is none.
	Parent   Header
	Metadata json.RawMessage // a JSON object; nil means {}
	Body     json.RawMessage // the content, a JSON object; nil means {}
	Buffers  [][]byte
}

// Content decodes the message's content into a pointer to its struct.
func (m *Message) Content(into any) error {
	body := m.Body
	if len(body) == 0 {
		body = json.RawMessage("{}")
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("reading the content of a %s: %w", m.Header.Type, err)
	}
	return nil
}

// SetContent encodes content, a struct or map, as the message's content. HTML characters stay as they are.
func (m *Message) SetContent(content any) error {
	body, err := marshal(content)
	if err != nil {
		return fmt.Errorf("encoding the content of a %s: %w", m.Header.Type, err)
	}
	m.Body = body
	return nil
}

// marshal is json.Marshal without escaping <, > and &, so that cells and pictures do not grow.
func marshal(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Session makes the messages of one end: a kernel's or a client's. Its fields are set once; its methods may be called
// by several goroutines if Now and NewID may.
type Session struct {
	ID       string
	Username string
	Now      func() time.Time
	NewID    func() string // a new message id at each call
}

// NewSession returns a session with a random id that uses the system's clock and random ids.
func NewSession(username string) *Session {
	return &Session{ID: NewID(), Username: username, Now: time.Now, NewID: NewID}
}

// Header returns the header of a new message of the session.
func (s *Session) Header(kind string) Header {
	return Header{
		ID: s.NewID(), Session: s.ID, Username: s.Username,
		Date: s.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
		Type: kind, Version: Version,
	}
}

// New returns a message that no other caused, such as a client's request.
func (s *Session) New(kind string, content any) (*Message, error) {
	m := &Message{Header: s.Header(kind)}
	return m, m.SetContent(content)
}

// Reply returns an answer to request, with its route back.
func (s *Session) Reply(request *Message, kind string, content any) (*Message, error) {
	m := &Message{Identities: request.Identities, Header: s.Header(kind), Parent: request.Header}
	return m, m.SetContent(content)
}

// Publish returns a message for the IOPub channel, caused by the message with header parent (zero: by none). The topic
// is "kernel.<session>.<kind>".
func (s *Session) Publish(parent Header, kind string, content any) (*Message, error) {
	m := &Message{Identities: [][]byte{[]byte("kernel." + s.ID + "." + kind)}, Header: s.Header(kind), Parent: parent}
	return m, m.SetContent(content)
}
