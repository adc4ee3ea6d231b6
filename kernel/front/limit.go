package front

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"patchlab/kernel/message"
)

// What a cell prints and shows is bounded, since a notebook that holds more can hardly be opened again. A cell that goes
// beyond goes on; the end of its text is published when it ends.
const (
	maxText = 8 << 20   // bytes of text
	maxRich = 256 << 20 // bytes of pictures, tables and the like
	maxTail = 4 << 10   // bytes of text at the end
)

// limit counts what a cell publishes.
type limit struct {
	mu         sync.Mutex
	text, rich int // bytes published
	left       int // bytes of text left out since
	tail       []byte
	told       map[string]bool // of what kind of message it is said that some are left out
}

// admit says whether a message is published, and what is to be said in its place, once.
func (l *limit) admit(kind string, content any) (ok bool, say string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch kind {
	case message.TypeClearOutput: // the client forgets what there was
		l.text, l.rich, l.left, l.told, l.tail = 0, 0, 0, nil, nil
		return true, ""
	case message.TypeStream:
		text := streamText(content)
		if l.text+len(text) <= maxText && !l.told[kind] {
			l.text += len(text)
			return true, ""
		}
		l.left += len(text)
		l.tail = append(l.tail, text...)
		l.tail = l.tail[max(0, len(l.tail)-maxTail):]
		say = fmt.Sprintf("\nThe cell has printed more than %d MB: what follows is left out, but for its end.\n", maxText>>20)
	case message.TypeDisplayData, message.TypeExecuteResult:
		kind = message.TypeDisplayData
		size := bundleSize(content)
		if l.rich+size <= maxRich {
			l.rich += size
			return true, ""
		}
		say = fmt.Sprintf("\nThe cell has shown more than %d MB: what follows is left out.\n", maxRich>>20)
	default:
		return true, ""
	}
	if l.told[kind] {
		return false, ""
	}
	if l.told == nil {
		l.told = map[string]bool{}
	}
	l.told[kind] = true
	return false, say
}

// rest returns the end of what was left out, with how much that was.
func (l *limit) rest() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left == 0 {
		return ""
	}
	tail := strings.ToValidUTF8(string(l.tail), "")
	if _, after, ok := strings.Cut(tail, "\n"); ok && l.left > len(l.tail) {
		tail = after // whole lines
	}
	said := fmt.Sprintf("… %.1f MB left out …\n", float64(l.left-len(tail))/(1<<20))
	l.left, l.tail = 0, nil
	return said + tail
}

func streamText(content any) string {
	switch c := content.(type) {
	case message.Stream:
		return c.Text
	case json.RawMessage:
		var s message.Stream
		if json.Unmarshal(c, &s) == nil {
			return s.Text
		}
	}
	return ""
}

func bundleSize(content any) int {
	var data message.Bundle
	switch c := content.(type) {
	case message.DisplayData:
		data = c.Data
	case message.ExecuteResult:
		data = c.Data
	}
	size := 0
	for _, v := range data {
		text, ok := v.(string)
		if !ok {
			if b, err := json.Marshal(v); err == nil {
				text = string(b)
			}
		}
		size += len(text)
	}
	return size
}
